"""Paths of the data that ships with the code: poses/, cameras/ and the manifest, in a wheel or in a checkout."""

from __future__ import annotations

from pathlib import Path

from vrm_synth.core.errors import VrmSynthError

MANIFEST = "assets_manifest.yaml"
_PACKAGE = Path(__file__).resolve().parents[1]


def folder(name: str) -> Path:
    """The folder `name` ("poses", "cameras"): vrm_synth/data/ in an installed wheel, else the checkout's root."""
    for parent in (_PACKAGE / "data", _PACKAGE.parent):
        if (parent / name).is_dir():
            return parent / name
    raise VrmSynthError(
        f"the installation lacks its folder {name}", allowed="a wheel or a whole checkout", where=_PACKAGE
    )


def yaml_files(name: str) -> list[Path]:
    """The YAML files directly in the folder `name`, sorted by name."""
    return sorted(folder(name).glob("*.yaml"))


def file(name: str) -> Path:
    """The file `name` ("assets_manifest.yaml"), found where `folder` looks."""
    for parent in (_PACKAGE / "data", _PACKAGE.parent):
        if (parent / name).is_file():
            return parent / name
    raise VrmSynthError(
        f"the installation lacks its file {name}", allowed="a wheel or a whole checkout", where=_PACKAGE
    )
