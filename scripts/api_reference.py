"""Write a reference of the Python API from its docstrings, with pdoc: scripts/api_reference.py FOLDER

Warnings are errors, so that no docstring or annotation that pdoc cannot read is published.
"""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

import pdoc
import pdoc.doc
import pdoc.render

import vrm_synth

# One page: what the package's root offers, wherever it is defined.
MODULES = ("vrm_synth", r"!vrm_synth\.")


def main(folder: str) -> None:
    warnings.simplefilter("error")
    # torch and its kind deprecate things of their own while they are imported.
    warnings.filterwarnings("ignore", category=DeprecationWarning)
    for name in vrm_synth.__all__:  # pdoc looks into the module's dictionary, and names are imported when asked for
        setattr(vrm_synth, name, getattr(vrm_synth, name))
    pdoc.render.configure(docformat="markdown", show_source=False, footer_text=f"vrm-synth {vrm_synth.__version__}")
    pdoc.pdoc(*MODULES, output_directory=Path(folder))
    print(f"{folder}/index.html")


if __name__ == "__main__":
    main(sys.argv[1])
