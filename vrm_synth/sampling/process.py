"""This process: what its libraries say, which devices it has, and the other processes that share its work."""

from __future__ import annotations

import datetime
import re
import warnings

import torch
import torch.distributed
from diffusers.utils import logging as of_diffusers
from transformers.utils import logging as of_transformers

from vrm_synth.sampling.settings import SamplingError


def quieten() -> None:
    """The libraries keep their bars, their advice and their warnings to themselves."""
    for logging in (of_diffusers, of_transformers):
        logging.set_verbosity_error()
        logging.disable_progress_bar()
    warnings.filterwarnings("ignore", category=DeprecationWarning, module="diffusers")


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
