"""Fixtures of the dataset tests: two small VRM files, a recipe and its rendered dataset, a GL context."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.dataset.renders import COUNT, open_cached, render
from tests.vrm.vrm_file import glb, vrm1
from vrm_synth.dataset import render_task
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


@pytest.fixture
def cached_avatars(monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers in the tests' own process open the built-in avatar once."""
    monkeypatch.setattr(render_task, "open_avatar", open_cached)


@pytest.fixture(scope="session")
def recipe_file(avatars: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recipe of COUNT small shots, of free.vrm and the built-in avatar, in two splits."""
    folder = tmp_path_factory.mktemp("recipe")
    settings = {
        "avatars": [os.path.relpath(avatars / "free.vrm", folder), "demo"],
        "count": COUNT,
        "seed": 4,
        "size": [48, 64],
        "background": {"transparent": 1, "pink": 1},
        "settle_seconds": 0.1,
        "splits": {"test": 0.25},
    }
    (folder / "recipe.yaml").write_text(yaml.safe_dump(settings))
    return folder / "recipe.yaml"


@pytest.fixture
def changed_recipe(recipe_file: Path, tmp_path: Path) -> Callable[..., Path]:
    """Writes the recipe with other settings, next to recipe.yaml so that its relative paths stay valid."""

    def write(**settings: Any) -> Path:
        path = recipe_file.parent / f"{tmp_path.name}.yaml"
        path.write_text(yaml.safe_dump({**yaml.safe_load(recipe_file.read_text()), **settings}))
        return path

    return write


@pytest.fixture(scope="session")
def rendered(recipe_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The finished dataset of recipe.yaml, shared by many tests, which do not change it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(render_task, "open_avatar", open_cached)
        return render(recipe_file, tmp_path_factory.mktemp("sets") / "rendered")


def shot(name: str, avatar: Any = "free.vrm", **fields: Any) -> dict[str, Any]:
    """A small shot that shows the whole of the test's avatar."""
    camera = {"position": [0, 1.8, 4], "target": [0, 1.8, 0], "fov_y": 40}
    return {"id": name, "avatar": str(avatar), "camera": camera, "size": [24, 32], "pose": {"bones": {}}, **fields}
