"""Progress bars and warnings of diffusers and transformers, turned off."""

from __future__ import annotations

from diffusers.utils import logging as diffusers_logging
from transformers.utils import logging as transformers_logging


def silence_libraries() -> None:
    """Turn off progress bars and all messages below errors; called before the first model is opened."""
    for logging in (diffusers_logging, transformers_logging):
        logging.disable_progress_bar()
        logging.set_verbosity_error()
