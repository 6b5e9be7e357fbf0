"""A picture's file: a PNG that says what it was made from.

Two texts: "vrm_synth", JSON of everything that the picture follows from, and "parameters", the line that viewers of
generated pictures know how to show.
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
from vrm_synth.models import Base
from vrm_synth.sampling.requests import Request
from vrm_synth.sampling.settings import DeviceConfig, SamplingSettings

KEY = "vrm_synth"
_CALLED = {"dpm++2m": "DPM++ 2M", "unipc": "UniPC", "ddim": "DDIM"}


def describe(model: Base, settings: SamplingSettings, place: DeviceConfig, request: Request) -> dict[str, Any]:
    """Everything that a picture's bytes follow from, as plain values."""
    device = torch.cuda.get_device_name(place.device) if place.device.startswith("cuda") else platform.machine()
    return {
        "prompt": request.prompt,
        "negative_prompt": request.negative_prompt,
        "seed": request.seed,
        **settings.to_json(),
        "model": {"name": model.name, **model.identity},
        "prediction_type": model.scheduler_config.get("prediction_type", "epsilon"),
        "precision": place.precision,
        "batch_size": place.batch_size,
        "compiled": place.compiled,
        "device": device,
        "versions": {"vrm_synth": __version__, "torch": torch.__version__, "diffusers": diffusers.__version__},
    }


def encode(pixels: NDArray[np.uint8], said: Mapping[str, Any]) -> bytes:
    """A PNG file of (H, W, 3) uint8 with `said` in it. The same input gives the same bytes."""
    info = PngInfo()
    info.add_itxt("parameters", _parameters(said))
    info.add_itxt(KEY, json.dumps(said, ensure_ascii=False, allow_nan=False))
    data = io.BytesIO()
    PIL.Image.fromarray(pixels).save(data, "PNG", pnginfo=info, compress_level=6)
    return data.getvalue()


def read_settings(path: Path) -> dict[str, Any] | None:
    """What the picture says it was made from; None where there is no file, or it says nothing of the kind."""
    try:
        with PIL.Image.open(path, formats=["PNG"]) as picture:
            picture.load()  # a file cut short is not finished, and the texts may stand behind the pixels
            said = json.loads(getattr(picture, "text", {}).get(KEY, "null"))
    except (OSError, ValueError, SyntaxError, RecursionError):
        return None
    return said if isinstance(said, dict) else None


def _parameters(said: Mapping[str, Any]) -> str:
    lines = [said["prompt"]]
    if said["negative_prompt"]:
        lines.append(f"Negative prompt: {said['negative_prompt']}")
    figures = {
        "Steps": said["steps"],
        "Sampler": _CALLED[said["scheduler"]],
        "CFG scale": said["guidance"],
        "Seed": said["seed"],
        "Size": f"{said['width']}x{said['height']}",
        "Model": said["model"]["name"],
    }
    return "\n".join([*lines, ", ".join(f"{k}: {v}" for k, v in figures.items())])
