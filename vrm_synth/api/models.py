"""Train a model on captioned pictures, and sample from one; torch is imported by the calls alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import PIL.Image

    from vrm_synth.sampling.settings import Precision, SchedulerName
    from vrm_synth.training.callbacks import Callbacks
    from vrm_synth.training.config import RunConfig


def train(
    config: str | Path | Mapping[str, Any],
    out: str | Path,
    *,
    callbacks: Callbacks | None = None,
    device: str | None = None,
    offline: bool = True,
) -> int:
    """Train a latent diffusion model. The same call again resumes from the last checkpoint; raise `steps` to train on.

    config: the path of a run's YAML file, or its keys as a mapping, paths starting from the working folder:
    {"base": "tiny", "steps": 1000, "data": {"sources": ["out/pictures"]}}; docs/training.md has them all.
    out: the run's folder. callbacks: called as the run goes. device: "cpu" for the CPU even where
    there is a GPU. offline: True refuses a base that is not on this machine, False downloads it.
    Returns the step that is reached. Raises RecipeError, TrainError, ModelError, DatasetError.
    """
    from vrm_synth.training.preflight import check_run

    run, settings = Path(out), _read_config(config)
    check_run(settings, run)  # typos are reported before the slow import of torch
    from vrm_synth.training.loop import train as train_model

    return train_model(settings, run, callbacks, device=device, offline=offline)


def sample(
    model: str | Path,
    prompts: str | Sequence[str],
    out: str | Path | None = None,
    *,
    negative_prompt: str = "",
    seed: int = 0,
    count: int = 1,
    steps: int = 20,
    guidance_scale: float = 7.5,
    guidance_rescale: float = 0.0,
    scheduler: SchedulerName = "dpm++2m",
    size: int | tuple[int, int] | None = None,
    checkpoint: str | int | None = None,
    base: str | None = None,
    offline: bool = True,
    loras: Sequence[tuple[str | Path, float]] = (),
    device: str | None = None,
    precision: Precision | None = None,
    batch_size: int | None = None,
    compiled: bool | None = None,
    progress: Callable[[float, int], object] = lambda done, total: None,
    log: Callable[[str], object] = lambda text: None,
) -> list[PIL.Image.Image]:
    """Sample `count` images of each prompt; image i of all has the seed `seed + i`.

    model: a training run's folder, a diffusers folder of safetensors, or a preset that needs no download ("tiny").
    out: a folder for the PNG files, their metadata.jsonl and grid.png; images that are already there are kept.
    checkpoint: of a run, a step, "best" or "latest". base: of a run, where its base lies now. loras: (file, scale).
    size: side of a square or (width, height); None is the model's own. device: "cpu", "cuda" or "cuda:N".
    progress: called with the images done so far and their total number. log: called with one line of advice.
    Returns RGB images, in the order of the prompts. Raises ModelError, SamplingError.
    """
    from vrm_synth.sampling.sample_model import sample as sample_model

    return sample_model(
        model, prompts, out, negative_prompt=negative_prompt, seed=seed, count=count, steps=steps,
        guidance_scale=guidance_scale, guidance_rescale=guidance_rescale, scheduler=scheduler, size=size,
        checkpoint=checkpoint, base=base, offline=offline, loras=loras, device=device, precision=precision,
        batch_size=batch_size, compiled=compiled, progress=progress, log=log,
    )  # fmt: skip


def _read_config(config: str | Path | Mapping[str, Any]) -> RunConfig:
    from vrm_synth.training.config import RunConfig
    from vrm_synth.yaml_models.strict_yaml import check, load

    if isinstance(config, Mapping):
        return check(config, RunConfig, "train", base=Path.cwd())
    file = Path(config)
    return load(file, RunConfig, base=file.absolute().parent)
