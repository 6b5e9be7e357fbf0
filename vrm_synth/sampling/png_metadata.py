"""PNG file of a sampled image, with the metadata that reproduces it.

Two iTXt chunks: "vrm_synth", JSON of everything that the image depends on, and "parameters", the text that viewers of
generated images show.
"""

from __future__ import annotations

import io
import json
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import diffusers
import numpy as np
import PIL.Image
import torch
from numpy.typing import NDArray
from PIL.PngImagePlugin import PngInfo

from vrm_synth import __version__
from vrm_synth.models import DiffusionModel
from vrm_synth.sampling.image_requests import ImageRequest
from vrm_synth.sampling.sampler_settings import DeviceConfig, SamplerSettings

KEY = "vrm_synth"
_SAMPLER_NAMES = {"dpm++2m": "DPM++ 2M", "unipc": "UniPC", "ddim": "DDIM"}


def image_metadata(
    model: DiffusionModel, settings: SamplerSettings, device_config: DeviceConfig, request: ImageRequest
) -> dict[str, Any]:
    """Everything that an image's bytes depend on, as JSON values."""
    cuda = device_config.device.startswith("cuda")
    return {
        "prompt": request.prompt,
        "negative_prompt": request.negative_prompt,
        "seed": request.seed,
        **settings.to_json(),
        "model": {"name": model.name, **model.identity},
        "prediction_type": model.scheduler_config.get("prediction_type", "epsilon"),
        "precision": device_config.precision,
        "batch_size": device_config.batch_size,
        "compiled": device_config.compiled,
        "device": torch.cuda.get_device_name(device_config.device) if cuda else platform.machine(),
        "versions": {"vrm_synth": __version__, "torch": torch.__version__, "diffusers": diffusers.__version__},
    }


def encode_png(pixels: NDArray[np.uint8], metadata: Mapping[str, Any]) -> bytes:
    """Encode (H, W, 3) uint8 as a PNG file with its metadata. The same input gives the same bytes."""
    info = PngInfo()
    info.add_itxt("parameters", _a1111_parameters(metadata))
    info.add_itxt(KEY, json.dumps(metadata, ensure_ascii=False, allow_nan=False))
    data = io.BytesIO()
    PIL.Image.fromarray(pixels).save(data, "PNG", pnginfo=info, compress_level=6)
    return data.getvalue()


def read_metadata(path: Path) -> dict[str, Any] | None:
    """Read an image's metadata; None where the file does not exist, is damaged or has none."""
    try:
        with PIL.Image.open(path, formats=["PNG"]) as image:
            image.load()  # fails for a file cut short; and the text chunks may follow the pixels
            metadata = json.loads(getattr(image, "text", {}).get(KEY, "null"))
    except (OSError, ValueError, SyntaxError, RecursionError):
        return None
    return metadata if isinstance(metadata, dict) else None


def _a1111_parameters(metadata: Mapping[str, Any]) -> str:
    """Format the metadata as the "parameters" text of AUTOMATIC1111's web UI, which many image viewers show."""
    lines = [metadata["prompt"]]
    if metadata["negative_prompt"]:
        lines.append(f"Negative prompt: {metadata['negative_prompt']}")
    values = {
        "Steps": metadata["steps"],
        "Sampler": _SAMPLER_NAMES[metadata["scheduler"]],
        "CFG scale": metadata["guidance_scale"],
        "Seed": metadata["seed"],
        "Size": f"{metadata['width']}x{metadata['height']}",
        "Model": metadata["model"]["name"],
    }
    return "\n".join([*lines, ", ".join(f"{k}: {v}" for k, v in values.items())])
