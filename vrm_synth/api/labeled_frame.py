"""A rendered picture with the ground truth that was asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from vrm_synth.annotation.annotate import Annotation
from vrm_synth.core.errors import RenderError
from vrm_synth.core.near_names import did_you_mean
from vrm_synth.core.passes import MAX_DEPTH_LAYERS, PASSES
from vrm_synth.facts.facts import Facts
from vrm_synth.parts.overrides import PartOverrides
from vrm_synth.passes.pass_buffers import pass_buffers
from vrm_synth.pose.posed_avatar import PosedAvatar
from vrm_synth.render.base import Buffers, Draw, Frame, View  # noqa: F401 Draw: of an inherited field
from vrm_synth.render.geometry_buffer import GeometryBuffer, VisibleSurface  # noqa: F401 of inherited fields


@dataclass(frozen=True, eq=False, repr=False)
class LabeledFrame(Frame):
    """A rendered picture and its ground truth, one sample at each pixel's centre.

    passes: name of a pass → array (docs/passes.md has shapes, dtypes and units).
    annotation: keypoints, boxes, head and gaze; None where they were not asked for.
    facts: what the picture shows, of which captions are made; None where they were not asked for.
    """

    passes: Mapping[str, NDArray[np.generic]] = field(default_factory=dict)
    annotation: Annotation | None = None
    facts: Facts | None = None


def buffers_for(passes: Sequence[str], depth_layers: int, annotate: bool) -> Buffers:
    """Choose the buffers to draw beside the colours. Raises RenderError for a name that is no pass."""
    if isinstance(passes, str):
        raise RenderError("not a list of passes", got=repr(passes), allowed=f"[{passes!r}]")
    for name in passes:
        if name not in PASSES:
            near = did_you_mean(name, tuple(PASSES))
            raise RenderError(f"no such pass{near}", got=repr(name), allowed=", ".join(PASSES))
    if not 1 <= depth_layers <= MAX_DEPTH_LAYERS:
        raise RenderError("not a number of layers", got=depth_layers, allowed=f"1 to {MAX_DEPTH_LAYERS}")
    return pass_buffers(passes, annotate=annotate, depth_layers=depth_layers)


def labeled(
    frame: Frame, posed: PosedAvatar, view: View, passes: Sequence[str], annotate: bool, overrides: PartOverrides | None
) -> LabeledFrame:
    """The frame with its passes and annotation. Raises RenderError where the renderer cannot draw them."""
    if not passes and not annotate:
        return LabeledFrame(frame.rgba, frame.draw_order)
    # Imported here: a picture without ground truth, the first of a process above all, does without.
    from vrm_synth.passes.pass_arrays import pass_array
    from vrm_synth.passes.pass_input import PassInput

    source = PassInput.of(posed, view, frame, overrides, annotate=annotate)
    arrays = {name: pass_array(name, source) for name in passes}
    return LabeledFrame(
        frame.rgba,
        frame.draw_order,
        geometry=frame.geometry,
        layers=frame.layers,
        passes=arrays,
        annotation=source.annotation if annotate else None,
    )
