"""Fixture: one GL context for all rendering tests of a process."""

from collections.abc import Iterator

import pytest

from vrm_synth.render.gl.renderer import GLRenderer


@pytest.fixture(scope="session")
def gl() -> Iterator[GLRenderer]:
    renderer = GLRenderer()
    yield renderer
    renderer.close()
