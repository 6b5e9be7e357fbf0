"""Settings of a dataset that are not its recipe's: output format, shard size, renderer, resources.

Importing this module loads no renderer, so that a command can parse its options before its workers start.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from vrm_synth.dataset.plan import SHARD_SIZE

if TYPE_CHECKING:
    from vrm_synth.licensing.evidence import Evidence
    from vrm_synth.render import RendererName


@dataclass(frozen=True)
class OutputFormat:
    """The files that a dataset consists of.

    shard_format: "imagefolder", "webdataset" or "parquet".
    encoding: of pictures, a key of ENCODINGS ("png", "webp", "webp-lossy", "jpeg", "jxl").
    """

    shard_format: str = "imagefolder"
    encoding: str = "png"


@dataclass(frozen=True)
class DatasetSettings:
    """Settings of a dataset other than its recipe.

    output: shard format and encoding.
    shard_size: shots per shard, before they are split.
    renderer: "gl" or "pyrender".
    devices: EGL device indices, which workers share.
    evidence: license evidence by the avatar file's SHA-256; None for that of the manifests.
    license_manifest: the user's own manifest, read beside the shipped one where `evidence` is None.
    cache_bytes: size of the avatars that each process keeps in memory.
    mips: folder for mip chains of textures; None for no such cache.
    skip_unusable: leave out avatars that cannot be read or whose license is not accepted, instead of failing.
    """

    output: OutputFormat = field(default_factory=OutputFormat)
    shard_size: int = SHARD_SIZE
    renderer: RendererName = "gl"
    devices: tuple[int, ...] = (0,)
    evidence: Mapping[str, Evidence] | None = None
    license_manifest: Path | None = None
    cache_bytes: int = 1 << 30
    mips: Path | None = None
    skip_unusable: bool = False
