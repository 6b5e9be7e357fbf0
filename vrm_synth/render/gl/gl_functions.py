"""The few OpenGL functions that moderngl has no method for, called through ctypes."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

TEXTURE_2D, TEXTURE_MAX_LEVEL = 0x0DE1, 0x813D
RGBA, UNSIGNED_BYTE = 0x1908, 0x1401
_INT, _ENUM, _POINTER = ctypes.c_int, ctypes.c_uint, ctypes.c_void_p


class GLFunctions:
    """OpenGL functions of one context. load: name → address, 0 or an error where the driver has none."""

    def __init__(self, load: Callable[[str], int]):
        self._bind_texture = _function(load, "glBindTexture", _ENUM, ctypes.c_uint)
        self._tex_parameter = _function(load, "glTexParameteri", _ENUM, _ENUM, _INT)
        self._tex_image = _function(load, "glTexImage2D", _ENUM, _INT, _INT, _INT, _INT, _INT, _ENUM, _ENUM, _POINTER)

    def add_levels(self, texture: int, internal_format: int, levels: Sequence[NDArray[np.uint8]]) -> None:
        """Upload levels 1, 2, … of a 2D texture that has level 0. texture: GL name; levels: (H, W, 4) uint8 each."""
        self._bind_texture(TEXTURE_2D, texture)
        for n, level in enumerate(levels, 1):
            height, width = level.shape[:2]
            data = np.ascontiguousarray(level)
            self._tex_image(
                TEXTURE_2D, n, internal_format, width, height, 0, RGBA, UNSIGNED_BYTE, data.ctypes.data_as(_POINTER)
            )
        self._tex_parameter(TEXTURE_2D, TEXTURE_MAX_LEVEL, len(levels))


def _function(load: Callable[[str], int], name: str, *arguments: Any) -> Callable[..., None]:
    return ctypes.CFUNCTYPE(None, *arguments)(load(name))
