"""This process: which devices it has, and the other processes that share its work."""

from __future__ import annotations

import datetime
import re

import torch
import torch.distributed

from vrm_synth.sampling.settings import SamplingError


def find_device(asked: str | None, local_rank: int = 0) -> str:
    """The device asked for, or the best there is. Raises SamplingError where it is not here."""
    there = torch.cuda.is_available()
    device = asked or (f"cuda:{local_rank}" if there else "cpu")
    if not re.fullmatch(r"cpu|cuda(:\d{1,3})?", device):
        raise SamplingError("unknown device", got=device, allowed="cpu, cuda or cuda:N")
    if device != "cpu" and (not there or int(device.partition(":")[2] or 0) >= torch.cuda.device_count()):
        allowed = ", ".join(["cpu", *(f"cuda:{i}" for i in range(torch.cuda.device_count()))])
        raise SamplingError("no such device here", got=device, allowed=allowed)
    return device


def wait_for_all() -> None:
    """Until every process that torchrun or accelerate launch started has come here; once, at the end."""
    torch.distributed.init_process_group("gloo", timeout=datetime.timedelta(days=7))
    torch.distributed.barrier()
    torch.distributed.destroy_process_group()
