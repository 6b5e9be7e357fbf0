"""`vrm-synth inspect`."""

from __future__ import annotations

import json
from typing import Any

import click

from vrm_synth.core.errors import VrmSynthError


@click.command()
@click.argument("sources", metavar="FILE...", nargs=-1, required=True)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list with one object a file.")
@click.pass_context
def inspect(ctx: click.Context, sources: tuple[str, ...], as_json: bool) -> None:
    """Say what avatar files hold: version, licence, bones, expressions, materials, springs, oddities.

    FILE is a VRM file, or demo for the built-in avatar (demo:3 for another of its family). A file that cannot
    be read gets its one line, the others go on, and the exit status is 1.

    \b
    Examples:
      vrm-synth inspect avatar.vrm
      vrm-synth inspect avatars/*.vrm --json | jq '.[] | [.source, .licence.name]'
    """
    from vrm_synth.avatar import open_avatar
    from vrm_synth.avatar.assets import known_evidence
    from vrm_synth.avatar.inspect import report, table

    evidence = known_evidence()
    facts: list[dict[str, Any]] = []
    failed = False
    for source in sources:
        try:
            found = report(open_avatar(source))
            entry = evidence.get(found["sha256"])
            found["evidence"] = entry and entry.model_dump(mode="json", exclude={"sha256"})
        except (VrmSynthError, OSError) as e:
            failed = True
            facts.append({"source": source, "error": str(e)})
            click.echo(f"Error: {e}", err=True)
            continue
        if not as_json:
            click.echo(("\n" if facts else "") + table(found))
            if entry:
                click.echo(f"evidence: {entry.licence} by {entry.evidence}: {entry.quote}")
        facts.append(found)
    if as_json:
        click.echo(json.dumps(facts, ensure_ascii=False, indent=1))
    if failed:
        ctx.exit(1)
