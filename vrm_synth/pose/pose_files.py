"""Pose files of the user's own: which files an entry names, and what they hold.

An entry that ends in .yaml or .yml names a file, or several by a glob ("my/poses/*.yaml"); anything else is a name of
the library. A file's pose is called as the file is; a name of the library's stays the library's, because the column
`pose` of a dataset must say which pose it was.
"""

from __future__ import annotations

import glob
from pathlib import Path

from vrm_synth.core.errors import RecipeError
from vrm_synth.core.near_names import did_you_mean
from vrm_synth.pose.pose_library import Pose, PoseFile, load_poses, pose_name, read_pose
from vrm_synth.yaml_models.strict_yaml import RefusedError, load

SUFFIXES = (".yaml", ".yml")
MOST_FILES = 1000  # dataset.json holds what they hold
ALLOWED = "a .yaml file of a pose, or a glob of such files"


def is_pose_file(entry: object) -> bool:
    """Return True where an entry names files, not a pose of the library."""
    return isinstance(entry, str) and entry.lower().endswith(SUFFIXES)


def find_pose_files(entry: str, base: Path) -> list[Path]:
    """The files that an entry names, sorted; relative ones start from `base`. Raises RefusedError where none is there.

    An entry that is there by that very name is that file, whatever characters it has.
    """
    path = base / Path(entry).expanduser()
    if path.is_file():
        return [path.absolute()]
    if not glob.has_magic(entry):
        beside = [p.name for p in path.parent.iterdir()] if path.parent.is_dir() else []
        raise RefusedError(f"no such file{did_you_mean(path.name, filter(is_pose_file, beside))}", ALLOWED)
    # Of a pattern only the entry's own part counts: the recipe's folder may have brackets in its name.
    found = glob.iglob(str(Path(entry).expanduser()), root_dir=base, recursive=True)
    files = sorted({p.absolute() for p in (base / name for name in found) if p.is_file()})
    if not files:
        raise RefusedError("the glob matches no file", ALLOWED)
    if len(files) > MOST_FILES:
        raise RefusedError(f"{len(files)} files", f"up to {MOST_FILES}")
    return files


def read_pose_file(path: Path) -> tuple[str, PoseFile]:
    """The name and the values of one file. Raises RecipeError with the file's line."""
    return check_name(path), load(path, PoseFile)


def load_pose(path: str | Path) -> Pose:
    """The pose in a YAML file (the format: docs/recipes.md, "Poses"). Raises RecipeError with the file's line."""
    path = Path(path).expanduser()
    if not path.is_file():
        beside = [p.name for p in path.parent.iterdir()] if path.parent.is_dir() else []
        near = did_you_mean(path.name, filter(is_pose_file, beside))
        raise RecipeError(f"no such file{near}", allowed="a pose's YAML file", where=path)
    return read_pose(path)


def check_name(path: Path) -> str:
    """The name of a file's pose. Raises RecipeError where it is not a valid name, or a pose of the library has it."""
    name = pose_name(path)
    if name in load_poses():
        raise RecipeError("a pose of the library has this name", got=name, allowed="another name", where=path)
    return name


def find_pose(pose: str | Path | Pose) -> Pose:
    """A pose by name, by its file, or as it is. Raises RecipeError, which names the pose that was probably meant."""
    if isinstance(pose, Pose):
        return pose
    if isinstance(pose, Path) or is_pose_file(pose):
        return load_pose(pose)
    known = load_poses()
    if pose not in known:
        raise RecipeError(f"no such pose{did_you_mean(pose, known)}", got=pose, allowed=", ".join(known))
    return known[pose]
