"""Format numbers of our files: each file says `format: N`, and a reader takes its own N and every smaller one."""

from __future__ import annotations

from vrm_synth.core.errors import DatasetError, VrmSynthError


def check_format(value: object, latest: int, where: object = None, error: type[VrmSynthError] = DatasetError) -> int:
    """The format number of a file, 1 where the file does not say it.

    value: what the file has under `format`, None where it has no such key; latest: the newest number that the reader
    knows; where: the file's name, for the message; error: the class to raise. Raises it for a newer format, and for
    what is no format number.
    """
    if value is None:
        return 1
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise error("not a format number", got=value, allowed=f"1 to {latest}", where=where)
    if value > latest:
        raise error("a format newer than this version of vrm-synth", got=value, allowed=f"up to {latest}", where=where)
    return value
