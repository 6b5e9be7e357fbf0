"""Small real files for the dataset's tests: two VRMs, shots of them, one GL context."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.vrm.vrm_file import glb, vrm1
from vrm_synth.render.gl.backend import GLBackend


@pytest.fixture(scope="session")
def gl() -> Iterator[GLBackend]:
    renderer = GLBackend()
    yield renderer
    renderer.close()


@pytest.fixture(scope="session")
def avatars(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with free.vrm (CC0) and kept.vrm (VRM Public License, redistribution not allowed)."""
    folder = tmp_path_factory.mktemp("avatars")
    doc, data = vrm1()
    (folder / "free.vrm").write_bytes(glb(doc, bytes(data)))
    del doc["extensions"]["VRMC_vrm"]["meta"]["otherLicenseUrl"]
    doc["extensions"]["VRMC_vrm"]["meta"]["name"] = "kept"
    (folder / "kept.vrm").write_bytes(glb(doc, bytes(data)))
    return folder


def shot(name: str, avatar: Any = "free.vrm", **more: Any) -> dict[str, Any]:
    """A small shot that shows the whole of the test's avatar."""
    camera = {"position": [0, 1.8, 4], "target": [0, 1.8, 0], "fov_y": 40}
    return {"id": name, "avatar": str(avatar), "camera": camera, "size": [24, 32], "pose": {"bones": {}}, **more}
