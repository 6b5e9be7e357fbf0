"""Captions: choices and observations of a picture → facts → text. They state only what the picture shows."""

from vrm_synth.caption.english import english
from vrm_synth.caption.facts import Facts, facts

__all__ = ["Facts", "english", "facts"]
