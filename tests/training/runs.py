"""Small runs for the tests, in this process or in others that can be killed."""

from __future__ import annotations

import json
import multiprocessing
import os
from pathlib import Path
from typing import Any

from tests.training import disk

LOOP = multiprocessing.get_context("forkserver")
LOOP.set_forkserver_preload(["vrm_synth.training.loop"])  # a child then starts in a moment


def settings(data: Path, *, more: dict[str, Any] | None = None, **rest: Any) -> dict[str, Any]:
    """Of a run with the tiny base. more: of its data."""
    sources = {"sources": [str(data)], "size": 64, "buckets": 1, **(more or {})}
    return {"base": "tiny", "data": sources, "steps": 6, "batch": 4, "checkpoint_every": 2, "seed": 3, **rest}


def go(config: dict[str, Any], run: Path) -> int:
    """Train on one CPU thread."""
    import torch

    from vrm_synth.training.config import RunConfig
    from vrm_synth.training.loop import train

    torch.set_num_threads(1)
    return train(RunConfig.model_validate(config), run, device="cpu")


def go_as_rank(config: dict[str, Any], run: Path, rank: int, world_size: int, port: int) -> None:
    """One of several ranks, as torchrun starts them."""
    here = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": world_size}
    os.environ.update({k: str(v) for k, v in here.items()}, LOCAL_WORLD_SIZE=str(world_size), OMP_NUM_THREADS="1")
    go(config, run)


def log(run: Path) -> list[dict[str, Any]]:
    """Its lines."""
    return [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]


def contents(run: Path) -> dict[str, bytes]:
    """Every byte that must not depend on how often a run was killed."""
    files = [p for p in (run / "checkpoints").rglob("*") if p.is_file()]
    return {p.relative_to(run).as_posix(): p.read_bytes() for p in [*files, run / "log.jsonl"]}


def dataset(folder: Path) -> Path:
    """Six captioned pictures."""
    return disk.folder(folder, 6)


def go_as_rank_out_of_memory(
    config: dict[str, Any], run: Path, rank: int, world_size: int, port: int, where: str
) -> None:
    """The same, where rank 1 has no memory for more than one picture at once; where: "forward" or "backward"."""
    import torch

    from vrm_synth.training import loop as running

    def refuse(module: object, inputs: object, output: torch.Tensor) -> None:
        def run_out(_: object = None) -> None:
            raise torch.OutOfMemoryError("CUDA out of memory.")

        if len(output) > 1:
            run_out() if where == "forward" else output.register_hook(run_out)

    class Small(running.Trainer):
        def __init__(self, *args: Any):
            super().__init__(*args)
            if rank == 1:  # in the middle: some gradients are there already, and others are not
                self.unet.mid_block.register_forward_hook(refuse)

    running.Trainer = Small  # type: ignore[misc]
    running._raises_out_of_memory = lambda device: True
    go_as_rank(config, run, rank, world_size, port)
    group = torch.distributed.distributed_c10d._get_default_group()
    assert group._get_backend(torch.device("cpu")).options._timeout.days == 7
