"""`vrm-synth import-weights` and `vrm-synth export-model`."""

from __future__ import annotations

from pathlib import Path

import click

from vrm_synth.cli.common import note, plural
from vrm_synth.core.errors import ModelError


@click.command("import-weights")
@click.argument("source", type=click.Path(path_type=Path))
@click.option("-o", "--out", required=True, type=click.Path(path_type=Path), metavar="OUT", help="New file or folder.")
def import_weights(source: Path, out: Path) -> None:
    """Convert pickled weights to safetensors.

    SOURCE is a diffusers folder that contains pickles, which is copied, or one .bin, .ckpt, .pt or .pth file. Each
    pickle is opened in a separate process that reads only tensors. No other command opens pickles.

    \b
    Examples:
      vrm-synth import-weights downloads/mitsua-cc0 -o models/mitsua-cc0
      vrm-synth import-weights unet/diffusion_pytorch_model.bin -o unet/diffusion_pytorch_model.safetensors
    """
    from vrm_synth.models.import_weights import import_weights as convert

    record = convert(source, out, note)
    click.echo(f"{plural(sum('from_sha256' in r for r in record.values()), 'pickle')} converted: {out}")


@click.command("export-model")
@click.argument("run", type=click.Path(path_type=Path))
@click.option("-o", "--out", required=True, type=click.Path(path_type=Path), metavar="DIR", help="New folder.")
@click.option("--checkpoint", metavar="STEP", help="A step number, best or latest.  [default: latest]")
@click.option("--no-ema", is_flag=True, help="Export the trained weights instead of their moving average (EMA).")
@click.option("--merged", is_flag=True, help="Of a LoRA run: export a whole model with the LoRA merged into it.")
@click.option("--base-license", metavar="NAME", help="License of the base model, if the run does not record it.")
@click.option("--base", metavar="MODEL", help="Where the run's base model is now, if it was moved.")
@click.option("--online", is_flag=True, help="Download a base model that is not on this machine.")
def export_model(
    run: Path,
    out: Path,
    checkpoint: str | None,
    no_ema: bool,
    merged: bool,
    base_license: str | None,
    base: str | None,
    online: bool,
) -> None:
    """Export a run's model as a diffusers folder or a LoRA file, with a model card that states the base's license.

    \b
    Examples:
      vrm-synth export-model run -o model
      vrm-synth export-model run -o model --checkpoint best --no-ema
    """
    from vrm_synth.models.base_location import check_source
    from vrm_synth.models.checkpoint_files import find_checkpoint

    find_checkpoint(run, checkpoint)  # typos are reported before the slow import of torch
    if base is not None:
        check_source(base)
    if out.exists():
        raise ModelError("exists already", allowed="a new name", where=out)
    from vrm_synth.training.export import export

    record = export(
        run,
        out,
        checkpoint,
        ema=not no_ema,
        merged=merged,
        license=base_license,
        base=base,
        offline=not online,
        log=note,
    )
    click.echo(f"Step {record['step']} under {record['license']['name']}: {out}")
