"""Fixture: one GL context for all rendering tests of a process."""

from collections.abc import Iterator

import pytest

from vrm_synth.render.gl.backend import GLBackend


@pytest.fixture(scope="session")
def gl() -> Iterator[GLBackend]:
    renderer = GLBackend()
    yield renderer
    renderer.close()
