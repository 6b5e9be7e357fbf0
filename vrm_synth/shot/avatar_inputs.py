"""Inputs of a command → a recipe: a recipe's file, or avatars with everything else at its default."""

from __future__ import annotations

import glob
from collections.abc import Iterable, Sequence
from pathlib import Path

from vrm_synth.core.errors import RecipeError
from vrm_synth.core.near_names import did_you_mean
from vrm_synth.shot.avatar_sources import Note, is_built_in, names_beside
from vrm_synth.shot.recipe import Recipe, load_recipe
from vrm_synth.yaml_models.strict_yaml import check

FAMILY = "demo:0..7"  # the avatars of `vrm-synth demo`
COUNT = 24  # default number of pictures where avatars are given
GLTF = b"glTF"  # a GLB's first bytes
AVATARS = (".vrm", ".glb")


def recipe_of(
    inputs: Sequence[str],
    *,
    count: int | None = None,
    seed: int | None = None,
    size: int | None = None,
    base: Path | None = None,
    note: Note = lambda line: None,
) -> Recipe:
    """The recipe in a file, or one of avatars with everything else at its default.

    inputs: one recipe's file, or .vrm files, folders, globs and demo…; count, seed, size: instead of the recipe's own;
    base: where relative paths start, the working folder where it is None; note: called with a line about files that are
    left out. Raises RecipeError.
    """
    base = base or Path.cwd()
    avatars = [text for text in inputs if names_avatars(text, base)]
    if inputs and len(avatars) == len(inputs):
        return default_recipe(
            avatars,
            COUNT if count is None else count,
            0 if seed is None else seed,
            512 if size is None else size,
            base=base,
            note=note,
        )
    if len(inputs) != 1:
        others = ", ".join(text for text in inputs if text not in avatars)
        raise RecipeError(
            "these cannot be rendered together", got=others or None, allowed="one recipe, or avatars alone"
        )
    file = base / Path(inputs[0]).expanduser()
    if not file.exists():
        near = did_you_mean(file.name, names_beside(file))
        raise RecipeError(f"no such file{near}", allowed="a recipe, a .vrm file, a folder, a glob or demo", where=file)
    return load_recipe(file, note, count=count, seed=seed, size=size)


def default_recipe(
    avatars: Iterable[str],
    count: int = COUNT,
    seed: int = 0,
    size: int | tuple[int, int] = 512,
    base: Path | None = None,
    note: Note = lambda line: None,
) -> Recipe:
    """A recipe of these avatars with everything else at its default.

    avatars: files, folders, globs and demo…, as a recipe's list has them; base: where relative paths start, the
    working folder where it is None; note: as load_recipe's. Raises RecipeError.
    """
    data = {"avatars": list(avatars), "count": count, "seed": seed, "size": size}
    return check(data, Recipe, "the command", base=base or Path.cwd(), note=note)


def builtin_recipe(count: int = COUNT, seed: int = 0, size: int | tuple[int, int] = 512) -> Recipe:
    """The recipe of `vrm-synth demo`: eight members of the built-in family, everything else at its default.

    Raises RecipeError for a count, seed or size that a recipe would not take either.
    """
    return default_recipe([FAMILY], count, seed, size)


def names_avatars(text: str, base: Path) -> bool:
    """True where a command's argument names avatars, false where it names a file about them."""
    path = base / Path(text).expanduser()
    if is_built_in(text) or path.suffix.lower() in AVATARS or path.is_dir():
        return True
    return is_glb(path) if path.is_file() else glob.has_magic(text)


def is_glb(path: Path) -> bool:
    """True for a file that begins as a GLB does, whatever its name. Raises OSError."""
    with path.open("rb") as f:
        return f.read(len(GLTF)) == GLTF
