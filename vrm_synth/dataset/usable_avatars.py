"""Find the avatars of a recipe that a dataset can show: open each once, and report all that cannot be used together.

A dataset's list of avatars is fixed when its folder is claimed (dataset.json), because shot i depends on it: a
process that later finds another list, on another machine or because a file was mended, is refused (identity/claim.py).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vrm_synth.core.errors import AvatarError, LicenseError, RecipeError, UnusableAvatarsError, VrmSynthError
from vrm_synth.core.near_names import did_you_mean
from vrm_synth.dataset.avatar_cache import AvatarCache
from vrm_synth.dataset.render_task import avatar_id
from vrm_synth.licensing.evidence import Evidence
from vrm_synth.licensing.gate import EffectiveLicense, check_license, effective_license, shell_quoted
from vrm_synth.shot import Recipe
from vrm_synth.vrm.avatar import Avatar
from vrm_synth.vrm.extension import PRESETS

MAX_LISTED = 20
SKIP = "--skip-unusable to go on without"


@dataclass(frozen=True)
class UsableAvatars:
    """The usable avatars of a recipe.

    recipe: with these avatars alone.
    credits: source → its entry in dataset.json.
    skipped: the other avatars, each with "id" and "why".
    """

    recipe: Recipe
    credits: Mapping[str, dict[str, Any]]
    skipped: tuple[dict[str, str], ...] = ()


def usable_avatars(
    recipe: Recipe,
    open_avatar: Callable[[str], Avatar],
    evidence: Mapping[str, Evidence],
    *,
    skip_unusable: bool = False,
    checked: Callable[[], object] = lambda: None,
    note: Callable[[str], object] = lambda line: None,
) -> UsableAvatars:
    """Open every avatar of the recipe and check its license.

    checked: called for each that was looked at; note: with a line for each that is skipped. Raises, after all were
    looked at, the error of the one that cannot be used or UnusableAvatarsError for several, unless they are to be
    skipped and others are left; RecipeError for an expression that none of them has.
    """
    open_one = AvatarCache(open_avatar)
    credits: dict[str, dict[str, Any]] = {}
    failures: dict[str, VrmSynthError] = {}
    licenses: dict[str, None] = {}
    expressions = set(PRESETS)
    for source in dict.fromkeys(recipe.avatars):
        try:
            avatar = open_one(source)
            try:
                effective = check_license(avatar, evidence, recipe.accept_licenses)
            except LicenseError:
                licenses[effective_license(avatar, evidence).license] = None
                raise
        except (AvatarError, LicenseError) as e:
            failures[source] = e
        else:
            credits[source] = _credit(source, avatar, effective) | _named_ids(avatar, recipe)
            expressions |= avatar.expressions.keys()
        checked()
    if failures and not (skip_unusable and credits):
        raise _refusal(failures, len(credits) + len(failures), tuple(licenses))
    for failure in failures.values():
        note(f"skipped: {_line(failure)}")
    for name in recipe.expressions:
        if name not in expressions:
            message = f"no avatar of this recipe has the expression{did_you_mean(name, expressions)}"
            raise RecipeError(message, got=name, allowed=", ".join(sorted(expressions)))
    if failures:
        recipe = _with_only(recipe, credits)
    return UsableAvatars(recipe, credits, tuple({"id": avatar_id(s), "why": _why(e)} for s, e in failures.items()))


def _with_only(recipe: Recipe, sources: Collection[str]) -> Recipe:
    """The recipe as if it named these avatars alone."""
    lists = (tuple(s for s in some if s in sources) for some in recipe.avatar_lists)
    names = {*sources, *(Path(s).name for s in sources)}
    characters = {name: words for name, words in recipe.characters.items() if name in names}
    return recipe.model_copy(update={"avatar_lists": tuple(x for x in lists if x), "characters": characters})


def _refusal(failures: Mapping[str, VrmSynthError], total: int, licenses: tuple[str, ...]) -> VrmSynthError:
    errors = list(failures.values())
    if len(errors) == 1:
        error = errors[0]
        error.details = (f"{SKIP} this avatar",) if total > 1 else ()
        return error
    accept = " ".join(f"--accept-license {shell_quoted(name)}" for name in licenses)
    ways = [f"{SKIP} them" if len(errors) < total else "other avatars"]
    ways += [f"to accept the licenses found: {accept}"] if accept else []
    refusal = UnusableAvatarsError(f"{len(errors)} of {total} avatars cannot be used", allowed="; or ".join(ways))
    lines = map(_line, errors[:MAX_LISTED])
    more = len(errors) - MAX_LISTED
    refusal.details = (*lines, *([f"and {more} more"] if more > 0 else ()))
    return refusal


def _line(e: VrmSynthError) -> str:
    return str(type(e)(e.what, got=e.got, where=e.where))


def _why(e: VrmSynthError) -> str:
    # Not where: dataset.json tells no paths of the machine that made it.
    return e.what if e.got is None else f"{e.what}; got {e.got}"


def _named_ids(avatar: Avatar, recipe: Recipe) -> dict[str, list[str]]:
    """Names of what the passes "materials" and "nodes" number, where the recipe has them."""
    names = {"materials": [m.name for m in avatar.materials], "nodes": [n.name for n in avatar.nodes]}
    return {key: names[key] for key in names if key in recipe.passes}


def _credit(source: str, avatar: Avatar, effective: EffectiveLicense) -> dict[str, Any]:
    return {
        "id": avatar_id(source),
        "name": avatar.meta.name,
        "authors": list(avatar.meta.authors),
        "sha256": avatar.sha256,
        "license": effective.license,
        "license_url": effective.url,
        "license_terms": effective.terms,
        "is_cc0": effective.is_cc0,
        "evidence": effective.source,
    }
