"""How true facts are, and how complete: the built-in family against its construction, ray cast ids and joints.

    python benchmarks/caption_truth.py [--shots 1500] [--members 200] [--seed 7] [--mistakes 5] [--least 600] [--real]

One row for each type of claim: number of claims, precision (percent that are right), number of things plainly in
sight, recall (percent of those that are claimed). tests/facts/family_oracle.py defines both, and uses none of the code
that makes facts. Types of fewer than --least claims or sights are listed as not shown.

--real takes the ten skinned shared avatars instead, with the overrides of tests/parts/part_overrides.yaml and without:
tests/facts/real_oracle.py says what is right there.

Stability: the share of facts that stay equal when the camera is turned by a tenth of a pixel, and with another
supersampling.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np
from tqdm import tqdm

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.corpus import avatar_files
from tests.facts.family_oracle import judge
from tests.facts.family_picture import Picture, params_of
from tests.facts.observed import observe_shot, ray_cast_ids
from tests.facts.real_oracle import judge_real, load_real_answers, part_pixels
from tests.facts.verdict import Verdict
from tests.parts.answer_sheet import load_overrides
from vrm_synth.builtin_avatar.open_avatar import open_avatar
from vrm_synth.camera.camera import Camera
from vrm_synth.facts.facts import Facts
from vrm_synth.pose.pose_library import PoseFile, load_poses
from vrm_synth.shot import Recipe, source_at
from vrm_synth.yaml_models import resources
from vrm_synth.yaml_models.strict_yaml import load

Rows = dict[str, list[tuple[int, Verdict]]]
STABLE_SHARE = 5  # every so many shots is drawn again, moved and with another supersampling


def hands_of(pose: str, mirrored: bool) -> dict[str, str]:
    """Side → hand of poses/hands/ that a pose of the library has."""
    hands = _hands()[pose]
    both = hands.get("both", "relaxed")
    sides = {side: hands.get(side, both) for side in ("left", "right")}
    return {"left": sides["right"], "right": sides["left"]} if mirrored else sides


@lru_cache
def _hands() -> dict[str, dict[str, str]]:
    return {name: load(resources.folder("poses") / f"{name}.yaml", PoseFile).hands for name in load_poses()}


def turned_by_a_tenth_of_a_pixel(height: int) -> Callable[[Camera, float], Camera]:
    """A camera → one that looks a tenth of a pixel to the right and down."""

    def move(camera: Camera, aspect: float) -> Camera:
        eye, target = np.asarray(camera.position), np.asarray(camera.target)
        distance = float(np.linalg.norm(target - eye))
        step = 0.1 * 2 * np.tan(np.radians(camera.fov_y) / 2) * distance / height
        right, up = camera.view_from_world()[:2, :3]
        return replace(camera, target=tuple((target + step * (right - up)).tolist()))

    return move


def flat(value: object, path: str = "") -> dict[str, object]:
    """Every fact by its path; numbers are left out, and lists count as one fact."""
    if isinstance(value, dict):
        return {k: v for key, inner in value.items() for k, v in flat(inner, f"{path}.{key}" if path else key).items()}
    return {} if isinstance(value, float) else {path: value}


def differences(a: Facts, b: Facts) -> list[str]:
    """Paths of the facts that differ."""
    one, other = flat(a.to_json()), flat(b.to_json())
    return [path for path in one if one[path] != other.get(path)]


def family(options: argparse.Namespace) -> tuple[Rows, list[str]]:
    """Verdicts by type on the built-in family, and lines about stability."""
    recipe = Recipe.model_validate(
        {"avatars": [f"demo:0..{options.members - 1}"], "count": options.shots, "seed": options.seed}
    )
    opened = lru_cache(maxsize=options.members)(open_avatar)
    rows: Rows = defaultdict(list)
    changed: dict[str, Counter[str]] = {"a tenth of a pixel": Counter(), "supersample 3": Counter()}
    compared: Counter[str] = Counter()
    for i in tqdm(range(options.shots), unit="shot"):
        seen = observe_shot(recipe, i, opened)
        shot = seen.planned.shot
        assert shot.choices is not None
        hands = hands_of(shot.choices.pose, shot.choices.mirrored)
        picture = Picture(params_of(shot.figure.avatar), shot, seen.posed, ray_cast_ids(seen), hands)
        for verdict in judge(seen.facts, picture):
            rows[verdict.kind].append((i, verdict))
        if i % STABLE_SHARE == 0:
            moved = observe_shot(recipe, i, opened, move=turned_by_a_tenth_of_a_pixel(shot.size[1]))
            finer = observe_shot(recipe, i, opened, supersample=3)
            for name, other in (("a tenth of a pixel", moved), ("supersample 3", finer)):
                changed[name].update(differences(seen.facts, other.facts))
                compared[name] += len(flat(seen.facts.to_json()))
    lines = []
    for name, counter in changed.items():
        equal = 100 * (1 - sum(counter.values()) / max(compared[name], 1))
        lines.append(f"{name}: {equal:.3f} % of {compared[name]} facts equal; {dict(counter.most_common(8))}")
    return rows, lines


def real(options: argparse.Namespace, with_overrides: bool) -> Rows:
    """Verdicts by type on the shared avatars."""
    files = [path for path in avatar_files() if path.name in load_real_answers()]
    recipe = Recipe.model_validate({"avatars": [str(f) for f in files], "count": options.shots, "seed": options.seed})
    opened = lru_cache(maxsize=len(files))(open_avatar)
    overrides = load_overrides() if with_overrides else {}
    rows: Rows = defaultdict(list)
    for i in tqdm(range(options.shots), unit="shot"):
        name = Path(source_at(recipe, i)).name
        seen = observe_shot(recipe, i, opened, overrides.get(name))
        for verdict in judge_real(seen.facts, name, part_pixels(seen, name), seen.planned.shot.figure.expressions):
            rows[verdict.kind].append((i, replace(verdict, claim=verdict.claim and f"{verdict.claim} of {name}")))
    return rows


def table(rows: Rows, options: argparse.Namespace) -> None:
    """Print precision and recall by type, then mistakes."""
    print("| type | claims | precision | in sight | recall |\n|---|---|---|---|---|")
    few = []
    for kind, verdicts in sorted(rows.items()):
        claims = [v for _, v in verdicts if v.claim]
        plain = [v for _, v in verdicts if v.in_sight]
        if max(len(claims), len(plain)) < options.least:
            few.append(kind)
        right = f"{100 * np.mean([v.right for v in claims]):.2f}" if claims else "–"
        recall = f"{100 * np.mean([bool(v.claim) for v in plain]):.1f}" if plain else "–"
        print(f"| {kind} | {len(claims)} | {right} | {len(plain)} | {recall} |")
    if few:
        print(f"\nNot shown by so few: {', '.join(few)}")
    for kind, verdicts in sorted(rows.items()):
        for i, v in [(i, v) for i, v in verdicts if v.claim and not v.right][: options.mistakes]:
            print(f"wrong: shot {i}, {kind}: {v.claim}")
        missed = [i for i, v in verdicts if v.in_sight and not v.claim]
        if missed and options.mistakes:
            print(f"missed: {kind} of shots {missed[: 2 * options.mistakes]}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shots", type=int, default=1500)
    parser.add_argument("--members", type=int, default=200)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--mistakes", type=int, default=0, help="of each type, to print")
    parser.add_argument("--least", type=int, default=600)
    parser.add_argument("--real", action="store_true", help="the shared avatars")
    options = parser.parse_args()
    if options.real:
        for title, with_overrides in (("with overrides", True), ("without overrides", False)):
            print(f"\n{options.shots} shots of the shared avatars, seed {options.seed}, {title}\n")
            table(real(options, with_overrides), options)
        return
    rows, lines = family(options)
    print(f"{options.shots} shots of {options.members} members, seed {options.seed}\n")
    table(rows, options)
    print("\n" + "\n".join(lines))


if __name__ == "__main__":
    main()
