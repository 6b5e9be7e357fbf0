"""Write vrm_synth/caption/clip_counts.yaml anew, after the wording was edited.

    python scripts/clip_counts.py FOLDER

FOLDER has a CLIP tokenizer as transformers saves it (vocab.json, merges.txt), of a Stable Diffusion model for example.
Words that the file lacks are counted by their letters, so that captions are right without it, and somewhat shorter.
"""

from __future__ import annotations

import re
import sys
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from vrm_synth.appearance import words as appearance_words
from vrm_synth.caption.clip_tokens import COUNTS_FILE, RUN
from vrm_synth.caption.wording_files import FOLDER
from vrm_synth.yaml_models.resources import yaml_files

KANA = "".join(map(chr, (*range(0x3041, 0x3097), *range(0x30A1, 0x30FB), 0x30FC)))
FOLLOWERS = "あがてのヌワレン髪女白é"  # some of these merge with no character before them
VOCABULARY = 49408  # words of CLIP's tokenizer
Count = Callable[[str], int]


def main(folder: str) -> None:
    from transformers import CLIPTokenizer

    tokenizer = CLIPTokenizer.from_pretrained(folder, local_files_only=True)
    if len(tokenizer) != VOCABULARY:
        sys.exit(f"{folder}: no CLIP tokenizer; {len(tokenizer)} words, {VOCABULARY} expected")
    COUNTS_FILE.write_text(counts_file(lambda text: len(tokenizer(text)["input_ids"]) - 2), encoding="utf-8")


def texts() -> Iterator[str]:
    """The files whose words get into captions, without their comments."""
    files = [*FOLDER.glob("*.yaml"), *yaml_files("poses"), *Path(appearance_words.__file__).parent.glob("*.yaml")]
    for path in sorted(files):
        yield re.sub(r"(?m)(^|\s)#.*$", "", path.read_text(encoding="utf-8"))


def counts_file(count: Count) -> str:
    """The text of clip_counts.yaml. count: CLIP's number of tokens of a run."""
    runs = {run for text in texts() for run in RUN.findall(unicodedata.normalize("NFC", text).lower())}
    words = [r for r in runs if r.isascii() and (r.isalpha() or len(r) < 3)] + [
        *"、。（）・,.-'():0123456789",
        "'s",
        "'",
    ]
    characters = {c for run in runs for c in run if not c.isascii() and c.isalpha()} | set(KANA)
    tables = {
        "words": _by_count(words, count, " "),
        "characters": _by_count(characters, lambda c: max(count(c + d) - count(d) for d in FOLLOWERS), ""),
        "last": _by_count(characters, count, ""),
    }
    head = "# Number of CLIP's tokens → words and Japanese characters of so many. Made by scripts/clip_counts.py.\n"
    return head + "".join(f"\n{name}:\n{body}" for name, body in tables.items())


def _by_count(things: Iterable[str], count: Count, between: str) -> str:
    by: dict[int, list[str]] = {}
    for thing in sorted(set(things)):
        by.setdefault(count(thing), []).append(thing)
    return "".join(f"  {n}: {_quoted(between.join(by[n]))}\n" for n in sorted(by))


def _quoted(text: str) -> str:
    inner = text.replace("\\", "\\\\").replace('"', '\\"')
    lines = [inner[k : k + 110] for k in range(0, len(inner), 110)] if " " not in inner else []
    if lines:
        return '"' + "\\\n    ".join(lines) + '"'
    out, line = [], ""
    for word in inner.split(" "):
        if len(line) + len(word) > 110:
            out.append(line)
            line = ""
        line += word + " "
    return '"' + "\n    ".join([*out, line]).rstrip() + '"'


if __name__ == "__main__":
    main(sys.argv[1])
