"""Import rules between packages: an allow-list, checked against the source.

The same table stands in docs/architecture.md.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "vrm_synth"

# module → what of ours it may import (itself included without saying). A name covers what lies under it.
ALLOWED: dict[str, tuple[str, ...]] = {
    "core": (),
    "yaml_models": ("core",),
    "stage": ("core",),
    "io": ("core", "facts.facts", "facts.structure"),
    "gltf": ("core", "io.image_integrity", "io.png_bit_depth"),
    "licensing": ("core", "gltf.json_reader", "parts.overrides", "yaml_models"),
    "vrm": ("core", "gltf", "licensing.gate", "licensing.license"),
    "builtin_avatar": ("core", "gltf.model", "vrm.avatar", "vrm.avatar_loader"),
    "pose": ("core", "gltf.model", "vrm.avatar", "yaml_models"),
    "camera": ("core", "pose", "yaml_models"),
    "parts": ("core", "gltf.model", "vrm", "pose", "yaml_models"),
    "render": ("core", "gltf.model", "vrm.avatar", "vrm.drawn_triangles", "pose", "camera", "stage"),
    "shot": (
        "core",
        "gltf.model",
        "vrm",
        "builtin_avatar",
        "pose",
        "camera",
        "stage",
        "parts.overrides",
        "render.base",
        "appearance.words",
        "caption.settings",
        "yaml_models",
    ),
    "appearance": (
        "core",
        "gltf.model",
        "vrm",
        "builtin_avatar",
        "pose",
        "parts",
        "render.geometry_buffer",
        "yaml_models",
    ),
    "facts": (
        "core",
        "gltf.model",
        "vrm",
        "pose",
        "camera",
        "stage",
        "parts",
        "shot",
        "render.geometry_buffer",
        "appearance",
    ),
    "caption": ("core", "facts.facts", "appearance.words", "yaml_models"),
    "annotation": (
        "core",
        "gltf.model",
        "vrm.avatar",
        "vrm.drawn_triangles",
        "pose",
        "camera",
        "render.geometry_buffer",
        "shot.body_parts",
    ),
    "passes": ("core", "io.npz", "io.png_encoder", "vrm", "pose", "camera", "render", "annotation", "parts"),
    "execution": ("core",),
    "dataset": (
        "core",
        "io",
        "gltf",
        "vrm",
        "licensing",
        "builtin_avatar",
        "pose",
        "camera",
        "stage",
        "shot",
        "render",
        "appearance",
        "facts",
        "caption",
        "annotation",
        "parts",
        "passes",
        "execution",
        "yaml_models",
    ),
    "page": ("core",),
    "models": ("core", "io"),
    "sampling": ("core", "io", "models", "page"),
    "training": ("core", "io", "models", "sampling", "yaml_models"),
    "api": (
        "core",
        "vrm",
        "builtin_avatar",
        "pose",
        "camera",
        "render",
        "shot",
        "annotation",
        "parts",
        "passes",
        "appearance",
        "facts",
        "caption",
        "dataset.render_shot",
        "dataset.sample_facts",
        "yaml_models",
    ),
    "cli": ("",),  # everything
    "__main__": ("cli",),  # and nobody else imports cli
}

# third-party package → the only places that may import it
CONFINED: dict[str, tuple[str, ...]] = {
    "moderngl": ("render",),
    "glcontext": ("render",),
    "pyrender": ("render",),
    "OpenGL": ("render",),
    "pyglet": ("render",),
    "trimesh": ("render",),
    "peft": ("models", "training", "sampling"),
    "accelerate": ("training",),
    "DracoPy": ("gltf.codecs.decoder_process",),
    "meshopt": ("gltf.codecs.decoder_process",),
    "opengl_basisu": ("gltf.codecs.decoder_process",),
    "fsspec": ("io.store_fsspec",),
    "s3fs": ("io.store_fsspec",),
    "ray": ("execution.ray_cluster",),
    "torch": ("models", "training", "sampling"),
    "diffusers": ("models", "training", "sampling"),
    "transformers": ("models", "training", "sampling"),
    "jinja2": ("page",),
    # one process that is made to be lost: gltf/codecs/decoder.py says why
    "duckdb": ("dataset.summary.table",),
    "imagehash": ("dataset.verify.near_duplicates",),
    "click": ("cli",),
    "argparse": ("cli",),
    "tqdm": ("cli",),
}

# Reading the environment and printing belong to cli; the exceptions, each with its reason.
EXCEPTIONS = {
    "execution.ray_cluster": "Ray learns from RAY_USAGE_STATS_ENABLED that it is to tell nobody, and has no other door",
    "execution.worker_environment": "Mesa and BLAS learn in workers how many threads to use from the environment alone",
    "render.pyrender_import": "pyrender chooses its platform from PYOPENGL_PLATFORM, and has no other door",
}

FILES = sorted(PACKAGE.rglob("*.py"))


def module_name(path: Path) -> str:
    """The dotted name below vrm_synth ("pose.evaluate"; a package is its folder's name)."""
    parts = list(path.relative_to(PACKAGE).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(path: Path) -> Iterator[tuple[str, int]]:
    """Every imported module by its absolute name, with its line; imports within functions included."""
    package = ("vrm_synth", *path.relative_to(PACKAGE).parent.parts)
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = list(package[: len(package) - node.level + 1]) if node.level else []
            stem = ".".join([*base, *([node.module] if node.module else [])])
            # `from package import name`: the name may be a module of its own.
            yield from ((_resolve(stem, alias.name), node.lineno) for alias in node.names)


def _resolve(stem: str, name: str) -> str:
    if stem.split(".")[0] == "vrm_synth":
        folder = PACKAGE.joinpath(*stem.split(".")[1:])
        if (folder / f"{name}.py").exists() or (folder / name / "__init__.py").exists():
            return f"{stem}.{name}"
    return stem


def covers(prefix: str, name: str) -> bool:
    return prefix == "" or name == prefix or name.startswith(prefix + ".")


def violations(path: Path) -> Iterator[str]:
    module = module_name(path)
    layer = module.split(".")[0]
    for name, line in imports(path):
        at = f"{path.relative_to(PACKAGE.parent)}:{line}"
        root, _, rest = name.partition(".")
        if root == "vrm_synth":
            known = rest == "" or any(covers(p, rest) for p in (layer, *ALLOWED.get(layer, ())))
            if not known:
                yield f"{at}: {layer} may not import {name}; allowed: {', '.join(ALLOWED.get(layer, ())) or 'nothing'}"
        elif root in CONFINED and not any(covers(p, module) for p in CONFINED[root]):
            yield f"{at}: {root} belongs to {' and '.join(CONFINED[root])} alone"


def spoken(path: Path) -> Iterator[str]:
    """Uses of print, input, the environment and the command line."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        at = f"{path.relative_to(PACKAGE.parent)}:{getattr(node, 'lineno', 0)}"
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("print", "input"):
            yield f"{at}: {node.func.id}() outside cli"
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            used = f"{node.value.id}.{node.attr}"
            if used in ("os.environ", "os.getenv", "os.putenv", "sys.argv", "sys.stdout", "sys.stderr"):
                yield f"{at}: {used} outside cli"


@pytest.mark.parametrize("path", FILES, ids=module_name)
def test_imports_follow_the_table(path):
    assert module_name(path) == "" or module_name(path).split(".")[0] in ALLOWED, "a new module needs its row"
    assert list(violations(path)) == []


@pytest.mark.parametrize(
    "path",
    [f for f in FILES if not covers("cli", module_name(f)) and module_name(f) not in EXCEPTIONS],
    ids=module_name,
)
def test_only_the_command_line_prints_and_reads_the_environment(path):
    assert list(spoken(path)) == []


def test_the_exceptions_are_still_needed():
    assert all(list(spoken(PACKAGE / f"{name.replace('.', '/')}.py")) for name in EXCEPTIONS)


def test_the_documented_table_equals_the_allow_list():
    text = (PACKAGE.parent / "docs" / "architecture.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| ([a-z_, ]+) \| (.+) \|$", text.split("## Who may import whom")[1], re.MULTILINE))
    documented = {module: words(cell) for names, cell in rows.items() for module in names.split(", ")}
    documented.pop("module")
    assert documented.pop("cli") == {"everything; nobody imports cli"}
    assert documented == {m: set(a) for m, a in ALLOWED.items() if m not in ("cli", "__main__")}


def words(cell: str) -> set[str]:
    return {w for w in re.sub(r" \(.*?\)", "", cell).split(", ") if w != "nothing of ours"}


def test_violations_are_detected(tmp_path, monkeypatch):
    monkeypatch.setattr("tests.test_layers.PACKAGE", tmp_path / "vrm_synth")
    bad = tmp_path / "vrm_synth" / "core" / "bad.py"
    bad.parent.mkdir(parents=True)
    bad.write_text("import moderngl\nfrom vrm_synth.vrm import load\nfrom ..cli import main\nprint(os.environ)\n")
    assert len(list(violations(bad))) == 3
    assert len(list(spoken(bad))) == 2


def test_the_documented_sizes_are_about_right():
    """Modules and lines a package, as docs/architecture.md has them; and no module is longer than 400 lines."""
    text = (PACKAGE.parent / "docs" / "architecture.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| ([a-z_]+)/ \| (\d+) \| ([\d,]+) \|$", text, re.MULTILINE)
    documented = {name: (int(modules), int(lines.replace(",", ""))) for name, modules, lines in rows}
    sizes: dict[str, tuple[int, int]] = {}
    for path in FILES:
        name = path.relative_to(PACKAGE).parts[0]
        if name.endswith(".py"):
            continue
        count = len(path.read_text(encoding="utf-8").splitlines())
        assert count <= 400, f"{path.name} has {count} lines: look for its seam"
        modules, lines = sizes.get(name, (0, 0))
        sizes[name] = (modules + (path.name != "__init__.py"), lines + count)
    assert documented.keys() == sizes.keys()
    for name, (modules, lines) in sizes.items():
        about = documented[name]
        assert abs(modules - about[0]) <= 2 and abs(lines - about[1]) <= 200 + 0.1 * lines, (name, modules, lines)
