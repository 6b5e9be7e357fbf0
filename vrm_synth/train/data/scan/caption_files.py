"""Which files beside a picture are its own, by their names: its caption, and passes that are no pictures themselves.

The same rule for a folder's files and for the members of a WebDataset sample, whose names are what follows the key.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from vrm_synth.io.file_names import IMAGE_SUFFIXES

# What is drawn beside a picture and called after it: "0001.depth.png". Of those the mask alone is read.
MASK_PASS = "mask"
PASSES = (MASK_PASS, "albedo", "depth", "flow", "id", "normal", "normals", "position", "seg", "segmentation")


class Beside:
    """Names that lie beside each other.

    beside = Beside(["photo.png", "photo.mask.png", "photo.1.png", "photo.1.txt"])
    beside.own("photo.1.png", [".txt"])     # "photo.1.txt"
    beside.is_pass("photo.mask.png", [".txt"])  # True
    """

    def __init__(self, names: Iterable[str]):
        # by what stands before and after the last dot; of .TXT and .txt the small one
        self._names = {_parts(name): name for name in sorted(names)}

    def own(self, name: str, suffixes: Sequence[str]) -> str | None:
        """The file of the same name with one of the suffixes, the first that there is; in capitals, too."""
        stem, _ = _parts(name)
        return next((self._names[stem, s] for s in suffixes if (stem, s) in self._names), None)

    def pictures(self) -> list[str]:
        """All pictures, sorted by name."""
        return sorted(name for (_, suffix), name in self._names.items() if suffix in IMAGE_SUFFIXES)

    def is_pass(self, picture: str, captions: Sequence[str]) -> bool:
        """Whether it is a pass of another picture: the mask always, other passes where they have no caption."""
        stem, suffix = _parts(picture)
        base, dot, word = stem.rpartition(".")
        if not dot or suffix != ".png" or word not in PASSES:
            return False
        if word != MASK_PASS and self.own(picture, captions) is not None:
            return False
        return any((base, s) in self._names for s in IMAGE_SUFFIXES)


def _parts(name: str) -> tuple[str, str]:
    stem, _, suffix = name.rpartition(".")
    return stem, f".{suffix.lower()}"
