"""Write a reference of the Python API from its docstrings, with pdoc: scripts/api_reference.py FOLDER

What `vrm_synth/__init__.py` offers is documented on the first page; the modules behind it have a page each. A warning
is an error: a docstring that pdoc cannot read is not to be found out by a reader.
"""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

import pdoc
import pdoc.doc
import pdoc.render

import vrm_synth

# Pages of the API's own types and of those that its signatures name; the rest of the package is for its developers.
MODULES = ("vrm_synth", *sorted({f"vrm_synth.{home}" for home in vrm_synth._HOMES.values()}))


def main(folder: str) -> None:
    warnings.simplefilter("error")
    # torch and its kind deprecate things of their own while they are imported.
    warnings.filterwarnings("ignore", category=DeprecationWarning)
    pdoc.render.configure(docformat="markdown", show_source=False, footer_text=f"vrm-synth {vrm_synth.__version__}")
    pdoc.pdoc(*MODULES, output_directory=Path(folder))
    print(f"{folder}/index.html")


if __name__ == "__main__":
    main(sys.argv[1])
