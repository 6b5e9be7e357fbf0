"""Morph targets on the GPU: a primitive's deltas in a storage buffer, its active targets in a small table."""

from __future__ import annotations

import moderngl
import numpy as np
from numpy.typing import NDArray

from vrm_synth.core.errors import RenderError
from vrm_synth.render.gl.geometry import Instance

NO_RANGE = (0, 0)


def deltas(instance: Instance) -> NDArray[np.float32]:
    """The deltas of M targets, flat float32: positions (M, V, 3), then normals (M, V, 3) where the file has them."""
    p = instance.primitive
    parts = [p.morph_positions.ravel()]
    if p.morph_normals is not None:
        parts.append(p.morph_normals.ravel())
    return np.concatenate(parts).astype(np.float32, copy=False)


def active_rows(instance: Instance, weights: NDArray[np.float64] | None) -> NDArray[np.int32]:
    """The table of active targets, (K, 4) int32; those of weight 0 are left out.

    Columns: offset of positions, offset of normals (both less 3·first_vertex, so that gl_VertexID can be added as it
    is), the weight's float32 bits, 1 where there are normals.
    """
    p = instance.primitive
    count, size = len(p.morph_positions), p.morph_positions[0].size if len(p.morph_positions) else 0
    if weights is None or not count:
        return np.zeros((0, 4), np.int32)
    targets = np.flatnonzero(weights[:count])
    rows = np.zeros((len(targets), 4), np.int32)
    rows[:, 0] = targets * size - 3 * instance.first_vertex
    rows[:, 1] = rows[:, 0] + count * size
    rows[:, 2] = weights[targets].astype(np.float32).view(np.int32)
    rows[:, 3] = p.morph_normals is not None
    return rows


def upload(ctx: moderngl.Context, instance: Instance, source: str) -> moderngl.Buffer | None:
    """Upload the instance's deltas as a storage buffer; None where it has no targets. Raises RenderError."""
    data = deltas(instance)
    if not data.size:
        return None
    limit = ctx.info["GL_MAX_SHADER_STORAGE_BLOCK_SIZE"]
    if data.nbytes > limit:
        raise RenderError(
            "morph targets of one primitive larger than the driver can hold",
            got=f"{data.nbytes} bytes",
            allowed=f"up to {limit}",
            where=f"{source}: mesh {instance.name!r}",
        )
    return ctx.buffer(data)
