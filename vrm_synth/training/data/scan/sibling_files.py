"""The files that belong to a picture, by their names: its caption, and passes, which are no pictures themselves.

The same rule for a folder's files and for the members of a WebDataset sample, whose names are what follows the key.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from vrm_synth.core.passes import CONDITIONING_IMAGE, PASSES
from vrm_synth.io.file_names import IMAGE_SUFFIXES

# Passes that are rendered with a picture and named after it: "0001.depth.png". Of those the mask alone is read.
MASK_PASS = "mask"
OTHERS_PASSES = ("flow", "id", "normals", "position", "seg", "segmentation")  # names that other renderers use
PASS_NAMES = frozenset((*PASSES, CONDITIONING_IMAGE.name, *OTHERS_PASSES))


class SiblingFiles:
    """The names of files in one folder, or of the members of one sample.

    siblings = SiblingFiles(["photo.png", "photo.mask.png", "photo.1.png", "photo.1.txt"])
    siblings.of_same_stem("photo.1.png", [".txt"])  # "photo.1.txt"
    siblings.is_pass("photo.mask.png", [".txt"])  # True
    """

    def __init__(self, names: Iterable[str]):
        # (stem, suffix) → name; of photo.TXT and photo.txt the latter, which is sorted last
        self._names = {_split_suffix(name): name for name in sorted(names)}

    def of_same_stem(self, name: str, suffixes: Sequence[str]) -> str | None:
        """The file of the same stem with the first suffix that exists, in upper or lower case; None without one."""
        stem, _ = _split_suffix(name)
        return next((self._names[stem, s] for s in suffixes if (stem, s) in self._names), None)

    def pictures(self) -> list[str]:
        """The images, sorted by name."""
        return sorted(name for (_, suffix), name in self._names.items() if suffix in IMAGE_SUFFIXES)

    def is_pass(self, picture: str, captions: Sequence[str]) -> bool:
        """Return True for a pass of another picture: the mask always, other passes where they have no caption."""
        stem, suffix = _split_suffix(picture)
        base, dot, word = stem.rpartition(".")
        if not dot or suffix != ".png" or word not in PASS_NAMES:
            return False
        if word != MASK_PASS and self.of_same_stem(picture, captions) is not None:
            return False
        return any((base, s) in self._names for s in IMAGE_SUFFIXES)


def _split_suffix(name: str) -> tuple[str, str]:
    """Split a name at its last dot: (stem, suffix in lower case)."""
    stem, _, suffix = name.rpartition(".")
    return stem, f".{suffix.lower()}"
