"""The command line: thin; parse, call, print. Everything it does can be called from Python, too."""

from vrm_synth.cli.main import main

__all__ = ["main"]
