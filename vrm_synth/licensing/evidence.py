"""Manifest of assets: the license of each file, with the evidence for it."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from vrm_synth.core.errors import RecipeError
from vrm_synth.parts.overrides import PartOverrides
from vrm_synth.yaml_models import resources, strict_yaml


class Evidence(BaseModel):
    """An asset of a manifest, its license, and the evidence for that.

    Attributes:
        sha256: hash of the file, hexadecimal.
        name: name of the asset.
        license: SPDX identifier where there is one, "CC0-1.0".
        evidence: URL of the page that states the license.
        quote: the words of that page.
        date: the day on which they were read.
        note: anything else.
        parts: corrections of the part labels that are found for the file (docs/parts.md), or None.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    name: Annotated[str, Field(min_length=1)]
    license: Annotated[str, Field(min_length=1)]
    evidence: Annotated[str, Field(pattern=r"^https?://\S+$")]
    quote: Annotated[str, Field(min_length=1)]
    date: datetime.date
    note: str = ""
    parts: PartOverrides | None = None


class _Manifest(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    assets: Annotated[tuple[Evidence, ...], BeforeValidator(lambda v: tuple(v) if isinstance(v, list) else v)]


def load_manifest(path: Path) -> dict[str, Evidence]:
    """Load a manifest: entries by SHA-256. Raises RecipeError with the line."""
    entries: dict[str, Evidence] = {}
    for entry in strict_yaml.load(path, _Manifest).assets:
        if entry.sha256 in entries:
            raise RecipeError("the same asset twice", got=entry.sha256, where=path)
        entries[entry.sha256] = entry
    return entries


def load_evidence(extra: Path | None = None) -> dict[str, Evidence]:
    """Load the manifest that ships with the package; entries of `extra`, the user's own manifest, take precedence."""
    shipped = load_manifest(resources.file(resources.MANIFEST))
    return shipped | (load_manifest(extra) if extra is not None else {})
