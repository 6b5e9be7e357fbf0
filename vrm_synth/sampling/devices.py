"""Devices of this process, and synchronization with other processes."""

from __future__ import annotations

import datetime
import re

import torch
import torch.distributed

from vrm_synth.sampling.settings import SamplingError


def find_device(requested: str | None, local_rank: int = 0) -> str:
    """Check the requested device, or choose CUDA where there is one. Raises SamplingError if this machine lacks it."""
    has_cuda = torch.cuda.is_available()
    device = requested or (f"cuda:{local_rank}" if has_cuda else "cpu")
    if not re.fullmatch(r"cpu|cuda(:\d{1,3})?", device):
        raise SamplingError("unknown device", got=device, allowed="cpu, cuda or cuda:N")
    if device != "cpu" and (not has_cuda or int(device.partition(":")[2] or 0) >= torch.cuda.device_count()):
        allowed = ", ".join(["cpu", *(f"cuda:{i}" for i in range(torch.cuda.device_count()))])
        raise SamplingError("no such device here", got=device, allowed=allowed)
    return device


def wait_for_all() -> None:
    """Wait until all processes that torchrun or accelerate launch started get here; called once, at the end."""
    torch.distributed.init_process_group("gloo", timeout=datetime.timedelta(days=7))
    torch.distributed.barrier()
    torch.distributed.destroy_process_group()
