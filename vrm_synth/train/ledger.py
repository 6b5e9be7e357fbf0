"""RUN/ledger.json: whose work a model is made of, and under which licences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from vrm_synth.dataset.files import to_json, write_file
from vrm_synth.models import Base
from vrm_synth.models.presets import Licence
from vrm_synth.train.config import RunConfig
from vrm_synth.train.source import Credit

NAME = "ledger.json"


def ledger(config: RunConfig, base: Base, credits: Sequence[Credit]) -> dict[str, Any]:
    """Plain values: the base with its licence and files' hashes, and every source with its licences and avatars."""
    licence = base.licence if config.base_licence is None else Licence(config.base_licence)
    return {
        "base": {
            "name": base.name,
            "licence": None if licence is None else asdict(licence),
            "trained_from": config.init,
            "files": dict(base.hashes),
        },
        "sources": [
            {
                "name": c.name,
                "pictures": c.rows,
                "licences": dict(c.licences),
                "attribution": c.attribution,
                "manifest": c.manifest,
                "quarantined": dict(c.quarantined),
                "avatars": [dict(a) for a in c.avatars],
            }
            for c in credits
        ],
    }


def write(run: Path, told: dict[str, Any]) -> None:
    """Into the run's folder."""
    write_file(run / NAME, (to_json(told, indent=1) + "\n").encode())
