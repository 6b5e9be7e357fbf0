"""Report on the content of an avatar: as JSON-able values, and as a table for a terminal."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

from vrm_synth.core.bones import BONE_NAMES, REQUIRED
from vrm_synth.gltf.model import Material
from vrm_synth.licensing.gate import UNNAMED
from vrm_synth.vrm.avatar import Avatar, Expression, LookAt, RangeMap
from vrm_synth.vrm.humanoid import rest_world_matrix

_FINGER = re.compile("Thumb|Index|Middle|Ring|Little")


def avatar_report(avatar: Avatar) -> dict[str, Any]:
    """Return facts about an avatar as JSON-able values; lengths in meters, indices as in the file."""
    scene = set(avatar.scene_nodes)
    meta, license = avatar.meta, avatar.meta.license
    return {
        "source": avatar.source,
        "sha256": avatar.sha256,
        "vrm_version": avatar.vrm_version,
        "generator": avatar.generator,
        "name": meta.name,
        "version": meta.version,
        "authors": list(meta.authors),
        "license": {
            "name": license.name or UNNAMED,
            "url": license.url,
            "is_cc0": license.is_cc0,
            "terms": dict(license.terms),
        },
        "counts": _counts(avatar),
        "head_height": round(float(rest_world_matrix(avatar.nodes, avatar.humanoid["head"])[1, 3]), 4),
        "bones": {
            "present": list(avatar.humanoid),
            "missing": [b for b in BONE_NAMES if b not in avatar.humanoid],
            "required": sorted(REQUIRED, key=BONE_NAMES.index),
        },
        "expressions": {e.name: _expression(e) for e in avatar.expressions.values()},
        "materials": [_material(m) for m in avatar.materials],
        "images": [_image(avatar, i) for i in range(len(avatar.images))],
        "meshes": [_mesh(avatar, n) for n in avatar.scene_nodes if avatar.nodes[n].mesh is not None],
        "springs": [
            {
                "name": s.name,
                "joints": len(s.joints),
                "colliders": len(s.colliders),
                "root": avatar.nodes[s.joints[0].node].name,
            }
            for s in avatar.springs
        ],
        "colliders": dict(sorted(Counter(c.shape for c in avatar.colliders).items())),
        "constraints": dict(sorted(Counter(c.kind for c in avatar.constraints).items())),
        "look_at": _look_at(avatar.look_at),
        "first_person": dict(sorted(Counter(t for n, t in avatar.first_person.items() if n in scene).items())),
        "thumbnail": meta.thumbnail,
        "extensions": list(avatar.extensions_used),
        "oddities": list(avatar.oddities),
    }


def _counts(avatar: Avatar) -> dict[str, int]:
    """Sizes; triangles and vertices are those drawn, a vertex buffer that primitives share counts once per node."""
    drawn = [avatar.primitives_of(n) for n in avatar.drawn_nodes]
    return {
        "triangles": avatar.triangle_count,
        "vertices": sum(sum({id(p.positions): len(p.positions) for p in part}.values()) for part in drawn),
        "nodes": len(avatar.nodes),
        "meshes": len(avatar.meshes),
        "primitives": sum(len(m.primitives) for m in avatar.meshes),
        "skins": len(avatar.skins),
        "morph_targets": sum(max((len(p.morph_positions) for p in m.primitives), default=0) for m in avatar.meshes),
        "materials": len(avatar.materials),
        "textures": len(avatar.textures),
        "images": len(avatar.images),
    }


def _expression(e: Expression) -> dict[str, Any]:
    return {
        "preset": e.is_preset,
        "bound": e.is_bound,
        "binary": e.is_binary,
        "morph_targets": len(e.morph_target_binds),
        "colors": len(e.material_color_binds),
        "texture_transforms": len(e.texture_transform_binds),
        "overrides": {
            key: value
            for key, value in (("blink", e.override_blink), ("lookAt", e.override_look_at), ("mouth", e.override_mouth))
            if value != "none"
        },
    }


def _material(m: Material) -> dict[str, Any]:
    outline = m.mtoon.outline_width_mode if m.mtoon is not None and m.mtoon.outline_width_factor > 0 else "none"
    return {
        "name": m.name,
        "kind": m.kind,
        "alpha_mode": m.alpha_mode,
        "double_sided": m.double_sided,
        "outline": outline,
        "textures": {key: info.texture for key, info in m.texture_infos().items()},
    }


def _image(avatar: Avatar, i: int) -> dict[str, Any] | None:
    image = avatar.images[i]
    if image is None:
        return None
    height, width = image.pixels.shape[:2]
    return {"index": i, "name": image.name, "mime_type": image.mime_type, "width": width, "height": height}


def _mesh(avatar: Avatar, n: int) -> dict[str, Any]:
    node = avatar.nodes[n]
    assert node.mesh is not None
    mesh = avatar.meshes[node.mesh]
    return {
        "node": n,
        "name": node.name or mesh.name,
        "primitives": len(mesh.primitives),
        "triangles": sum(len(p.indices) for p in mesh.primitives),
        "morph_targets": len(mesh.weights),
        "skinned": any(avatar.skin_of(n, p) is not None for p in mesh.primitives),
        "drawn": n in avatar.drawn_nodes,
    }


def _look_at(look_at: LookAt | None) -> dict[str, Any] | None:
    if look_at is None:
        return None
    maps = {
        "horizontal_inner": look_at.horizontal_inner,
        "horizontal_outer": look_at.horizontal_outer,
        "vertical_down": look_at.vertical_down,
        "vertical_up": look_at.vertical_up,
    }
    return {
        "type": look_at.type,
        "offset_from_head_bone": list(look_at.offset_from_head_bone),
        **{key: _range(m) for key, m in maps.items()},
    }


def _range(m: RangeMap) -> dict[str, Any]:
    return {"input_max_value": m.input_max_value, "output_scale": m.output_scale, "curve": list(m.curve)}


# ---------------------------------------------------------------- the table


def format_report(facts: dict[str, Any]) -> str:
    """Format avatar_report() as lines of "label  text", for a terminal; control characters are removed."""
    rows = [(label, _one_line(text)) for label, text in _rows(facts) if text]
    width = max(len(label) for label, _ in rows)
    return "\n".join(f"{label:<{width}}  {text}" for label, text in rows)


def _rows(facts: dict[str, Any]) -> Iterator[tuple[str, str]]:
    counts, bones, license = facts["counts"], facts["bones"], facts["license"]
    yield "file", facts["source"]
    yield "sha256", facts["sha256"]
    yield (
        "format",
        f"VRM {'1.0' if facts['vrm_version'] == '1' else '0.x'}, written by {facts['generator'] or 'unknown'}",
    )
    by = f" by {', '.join(facts['authors'])}" if facts["authors"] else ""
    version = f" ({facts['version']})" if facts["version"] else ""
    yield "title", f"{facts['name'] or 'untitled'}{version}{by}"
    yield "license", license["name"]
    yield "  url", "" if license["url"] == license["name"] else license["url"]
    yield (
        "terms",
        ", ".join(f"{k} {v}" for k, v in license["terms"].items() if k != "licenseName" and v != license["url"]),
    )
    yield (
        "geometry",
        (
            f"{counts['triangles']:,} triangles, {counts['vertices']:,} vertices, {counts['meshes']} meshes, "
            f"{counts['primitives']} primitives, {counts['skins']} skins, {counts['morph_targets']} morph targets, "
            f"{counts['nodes']} nodes"
        ),
    )
    yield "size", f"head at {facts['head_height']:.3f} m"
    yield "bones", f"{len(bones['present'])} of {len(bones['present']) + len(bones['missing'])}"
    fingers = [b for b in BONE_NAMES if _FINGER.search(b)]
    bare_hands = all(b in bones["missing"] for b in fingers)
    missing = [b for b in bones["missing"] if not (bare_hands and b in fingers)]
    yield "  missing", ", ".join([*missing, f"all {len(fingers)} of the fingers"] if bare_hands else missing)
    yield from _expression_rows(facts["expressions"])
    yield from _material_rows(facts)
    yield from _motion_rows(facts)
    yield "extensions", ", ".join(facts["extensions"])
    for i, oddity in enumerate(facts["oddities"]):
        yield "oddities" if i == 0 else "", oddity


def _expression_rows(expressions: dict[str, Any]) -> Iterator[tuple[str, str]]:
    bound = [f"{n} (binary)" if e["binary"] else n for n, e in expressions.items() if e["bound"]]
    empty = [n for n, e in expressions.items() if not e["bound"]]
    yield "expressions", f"{len(bound)} bound, {len(empty)} empty" if expressions else "none"
    yield "  bound", ", ".join(bound)
    yield "  empty", ", ".join(empty)


def _material_rows(facts: dict[str, Any]) -> Iterator[tuple[str, str]]:
    kinds = Counter((m["kind"], m["alpha_mode"]) for m in facts["materials"])
    yield "materials", ", ".join(f"{n} {kind} {alpha}" for (kind, alpha), n in sorted(kinds.items())) or "none"
    for i, m in enumerate(facts["materials"]):
        extras = [m["kind"], m["alpha_mode"], "double-sided" if m["double_sided"] else ""]
        extras.append(f"outline in {m['outline']}" if m["outline"] != "none" else "")
        extras += [f"{key} {texture}" for key, texture in m["textures"].items()]
        yield f"  {i}", f"{m['name'] or 'unnamed'}: {', '.join(x for x in extras if x)}"
    sizes = Counter(f"{im['width']}×{im['height']} {im['mime_type'][6:]}" for im in facts["images"] if im)
    unused = sum(im is None for im in facts["images"])
    parts = [f"{n} of {size}" for size, n in sizes.items()] + ([f"{unused} not used by a material"] if unused else [])
    yield "pictures", ", ".join(parts)


def _motion_rows(facts: dict[str, Any]) -> Iterator[tuple[str, str]]:
    springs = facts["springs"]
    if springs:
        yield "springs", f"{len(springs)} with {sum(s['joints'] for s in springs)} joints"
    yield "colliders", ", ".join(f"{n} {shape}" for shape, n in facts["colliders"].items())
    yield "constraints", ", ".join(f"{n} {kind}" for kind, n in facts["constraints"].items())
    look_at = facts["look_at"]
    yield "gaze", f"by {look_at['type']}" if look_at else "none"
    yield (
        "first person",
        ", ".join(
            f"{n} {flag}{' (not drawn)' if flag == 'firstPersonOnly' else ''}"
            for flag, n in facts["first_person"].items()
        ),
    )


def _one_line(text: str) -> str:
    # Titles and names come from untrusted files: no control character may reach the terminal.
    return "".join(c if c.isprintable() else " " for c in text)
