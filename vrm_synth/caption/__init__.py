"""Captions that tell the truth: choices and observations of a picture → facts → text."""

from vrm_synth.caption.english import english
from vrm_synth.caption.facts import Facts, facts

__all__ = ["Facts", "english", "facts"]
