"""Fixtures: one GL context, and the passes of one picture as arrays and as files."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from numpy.typing import NDArray

from tests.passes.pictures import pass_input
from vrm_synth.core.passes import PASSES
from vrm_synth.passes.pass_arrays import pass_array
from vrm_synth.passes.pass_files import pass_file
from vrm_synth.passes.pass_input import PassInput
from vrm_synth.render.gl.backend import GLBackend


@pytest.fixture(scope="session")
def gl() -> Iterator[GLBackend]:
    renderer = GLBackend()
    yield renderer
    renderer.close()


@pytest.fixture(scope="session")
def source(gl) -> PassInput:
    return pass_input(gl)


@pytest.fixture(scope="session")
def arrays(source) -> dict[str, NDArray[Any]]:
    return {name: pass_array(name, source) for name in PASSES}


@pytest.fixture(scope="session")
def files(source) -> dict[str, bytes]:
    return {name: pass_file(name, source) for name in PASSES}
