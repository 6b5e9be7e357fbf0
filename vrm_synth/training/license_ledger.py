"""License ledger of a run, RUN/ledger.json: base model, training pictures and avatars, with their licenses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from vrm_synth.io.atomic_files import to_json, write_file
from vrm_synth.models import DiffusionModel
from vrm_synth.models.base_presets import ModelLicense
from vrm_synth.training.config import RunConfig
from vrm_synth.training.data.source import Credit

NAME = "ledger.json"


def build_ledger(config: RunConfig, base: DiffusionModel, credits: Sequence[Credit]) -> dict[str, Any]:
    """Build the ledger as JSON values: the base with license and hashes, every source with licenses and avatars."""
    license = base.license if config.base_license is None else ModelLicense(config.base_license)
    return {
        "base": {
            "name": base.name,
            "license": None if license is None else asdict(license),
            "trained_from": config.init,
            "files": dict(base.file_sha256),
        },
        "sources": [
            {
                "name": c.name,
                "pictures": c.rows,
                "licenses": dict(c.licenses),
                "attribution": c.attribution,
                "manifest": c.manifest,
                "quarantined": dict(c.quarantined),
                "avatars": [dict(a) for a in c.avatars],
            }
            for c in credits
        ],
    }


def write_ledger(run: Path, ledger: dict[str, Any]) -> None:
    """Write the ledger into the run's folder."""
    write_file(run / NAME, (to_json(ledger, indent=1) + "\n").encode())
