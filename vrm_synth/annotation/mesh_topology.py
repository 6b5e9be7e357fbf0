"""Connectivity of a triangle mesh: welded vertices, connected pieces, the rims of its openings."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vrm_synth.core.transforms import Array

Indices = NDArray[np.intp]
WELD = 1e-5  # metres within which vertices at seams of the texture are one


def weld(features: Array) -> Indices:
    """(V,) for each vertex the first one that agrees with it in every column of `features` (V, F), within WELD.

    Positions alone would close a mouth whose lips touch at rest: callers add how far expressions move each vertex.
    """
    cells = np.round(features / WELD).astype(np.int64)
    _, first, inverse = np.unique(cells, axis=0, return_index=True, return_inverse=True)
    return first[inverse.reshape(-1)].astype(np.intp)


def pieces(triangles: Indices, count: int) -> Indices:
    """(count,) number of the connected piece that each vertex belongs to; triangles (T, 3) of welded vertices."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    edges = np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]]])
    graph = coo_array((np.ones(len(edges), np.int8), edges.T), shape=(count, count))
    return np.asarray(connected_components(graph, directed=False)[1], np.intp)


def rims(triangles: Indices, count: int) -> list[Indices]:
    """The edges (E, 2) of each opening: those that one triangle alone has, by connected rim.

    triangles: (T, 3) of welded vertices, below `count`.
    """
    proper = triangles[(triangles != np.roll(triangles, 1, 1)).all(1)]
    edges = np.sort(np.concatenate([proper[:, [0, 1]], proper[:, [1, 2]], proper[:, [2, 0]]]), 1)
    unique, uses = np.unique(edges, axis=0, return_counts=True)
    rim = unique[uses == 1]
    if not len(rim):
        return []
    label = pieces(np.concatenate([rim, rim[:, :1]], 1), count)[rim[:, 0]]
    return [rim[label == k] for k in np.unique(label)]
