"""The passes and annotations of one sample, as its recipe asks for them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from vrm_synth.core.errors import DatasetError
from vrm_synth.core.passes import CONDITIONING, CONDITIONING_IMAGE, DEFAULT_DEPTH_LAYERS, PASSES
from vrm_synth.io.png_encoder import encode_png
from vrm_synth.licensing.evidence import Evidence
from vrm_synth.parts.overrides import PartOverrides, combined, overrides_of
from vrm_synth.passes.pass_buffers import pass_buffers
from vrm_synth.pose.pose_library import PoseFile
from vrm_synth.pose.posed_avatar import PosedAvatar
from vrm_synth.render.base import Buffers, Frame, RendererName, View
from vrm_synth.render.geometry_buffer import VertexLabels
from vrm_synth.shot.avatar_sources import is_built_in
from vrm_synth.shot.recipe import CharacterWords, Recipe

MASK = "mask"
OPAQUE_HALF = 128  # alpha from which a pixel of pyrender's belongs to the figure


def check_passes(recipe: Recipe, renderer: RendererName) -> None:
    """Raise DatasetError where a renderer cannot draw what a recipe asks for."""
    if renderer == "gl":
        return
    lacking = [name for name in recipe.passes if name != MASK]
    lacking += ["conditioning"] if recipe.conditioning else []
    lacking += ["annotations"] if recipe.annotations else []
    if lacking:
        raise DatasetError(
            f"{renderer} draws no geometry buffer", got=", ".join(lacking), allowed="mask, or the gl renderer"
        )


def with_manifest_parts(
    recipe: Recipe, credits: Mapping[str, Mapping[str, Any]], evidence: Mapping[str, Evidence]
) -> Recipe:
    """The recipe with the manifest's part labels beside its own, so that its rows follow from dataset.json alone.

    credits: source → what is known of the avatar, its `sha256` too. evidence: of the manifests, by SHA-256.
    """
    parts = dict(recipe.parts)
    for source, credit in credits.items():
        entry = evidence.get(credit["sha256"])
        if overrides := combined(overrides_of(recipe.parts, source), entry.parts if entry else None):
            parts[source if is_built_in(source) else Path(source).name] = overrides
    return recipe.model_copy(update={"parts": parts})


def buffers_of(recipe: Recipe, renderer: RendererName, labels: VertexLabels | None = None) -> Buffers:
    """The buffers that a recipe's pictures are drawn with: the surface for facts, and those of its passes.

    labels: of the avatar's appearance.
    """
    if renderer != "gl":
        return Buffers(surface=True)
    buffers = pass_buffers(
        drawn_passes(recipe), annotate=recipe.annotations, depth_layers=recipe.depth_layers, surface=True
    )
    return replace(buffers, vertex_labels=labels)


def drawn_passes(recipe: Recipe) -> tuple[str, ...]:
    """Names of the passes that a recipe's files are made of, each once."""
    conditioning = (CONDITIONING[recipe.conditioning],) if recipe.conditioning else ()
    return tuple(dict.fromkeys((*recipe.passes, *conditioning)))


def recipe_of(settings: Mapping[str, Any]) -> Recipe:
    """The part of a recipe that passes, annotations and facts follow from. settings: `recipe` of a dataset.json, of any
    version and of derived datasets, too."""
    return Recipe.model_construct(
        passes=tuple(settings["passes"]),
        conditioning=settings.get("conditioning"),
        annotations=bool(settings.get("annotations")),
        depth_layers=settings.get("depth_layers", DEFAULT_DEPTH_LAYERS),
        parts={name: PartOverrides.model_validate(rules) for name, rules in settings.get("parts", {}).items()},
        characters={n: CharacterWords.model_validate(words) for n, words in settings.get("characters", {}).items()},
        own_poses={name: PoseFile.model_validate(pose) for name, pose in settings.get("own_poses", {}).items()},
    )


def sample_passes(
    recipe: Recipe, avatar_source: str, posed: PosedAvatar, view: View, frame: Frame
) -> tuple[dict[str, bytes], dict[str, Any] | None]:
    """(suffix → file, value of the column `annotations` or None) of a picture drawn with buffers_of the recipe.

    avatar_source: the avatar's source in the recipe.

    Raises ShotError where a file cannot hold what is drawn.
    """
    # Imported here: most datasets have no passes, and their workers start faster.
    from vrm_synth.annotation.coco import coco_annotation
    from vrm_synth.annotation.openpose import openpose_json, openpose_person
    from vrm_synth.passes.pass_files import pass_file
    from vrm_synth.passes.pass_input import PassInput

    overrides = overrides_of(recipe.parts, avatar_source)
    source = PassInput.of(posed, view, frame, overrides, annotate=recipe.annotations)
    files = {name: pass_file(name, source) for name in drawn_passes(recipe)}
    extras = {PASSES[name].suffix: files[name] for name in recipe.passes}
    if recipe.conditioning:
        extras[CONDITIONING_IMAGE.suffix] = files[CONDITIONING[recipe.conditioning]]
    if not recipe.annotations:
        return extras, None
    annotation = source.annotation
    openpose = openpose_json([openpose_person(annotation.keypoints)], source.size)
    return extras, {**annotation.to_json(), "coco": coco_annotation(annotation), "openpose": openpose}


def mask_by_alpha(transparent: Frame) -> dict[str, bytes]:
    """The mask of a renderer without a geometry buffer, from a picture without a background."""
    mask = (transparent.rgba[..., 3] >= OPAQUE_HALF).astype("uint8") * 255
    return {PASSES[MASK].suffix: encode_png(mask, is_color=False)}
