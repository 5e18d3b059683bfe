"""Writes docs/permissions.md from what the views declare; ``--check`` only says whether it is up to date."""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from flask import Flask

from invoiceapp import config, create_app
from invoiceapp.blueprints.policy import OPERATOR, PUBLIC, ROLES, SELF, Policy, of_endpoint
from invoiceapp.domain.permissions import Action, Level, Role

FILE = Path(__file__).resolve().parent.parent / "docs" / "permissions.md"
HEAD = """# Hvem må hvad · Who may do what

Made by `make permissions` from what each view declares (`@policy`), and proved by `tests/blueprints/test_route_walk.py`,
which calls every address as everybody. What somebody may not see does not exist for them: 404. What they see and may not
do is refused with 403; visitors are led to the sign-in page.

## Roller i et abonnement · Roles in a subscription

| Policy | {roles} |
|---|{lines}|
{role_rows}

An auditor reads everything until a date, and changes nothing. The last owner of a subscription cannot go.

## Niveauer på det, der er delt · Levels on what is shared

Adaptors, gateways and templates of settings are shared with everybody, administrators, groups or persons. Owners and the
person who made it always manage it. A lock leaves the others at operator. The highest of several grants counts.

| Niveau · Level | se · view | kør, eksportér, send igen · operate | ret indstillinger · edit | deling, adgangskoder, sletning · manage |
|---|---|---|---|---|
{level_rows}

## Adresser · Addresses

*Fresh*: asks who it is once more, unless that was shown within 15 minutes. *Token*: called by programs with an API token,
whose scope (`read`, `operate`) is the most that it may, whoever made it. `operator`: who shows `METRICS_TOKEN`, or without one,
who asks from the server itself.
"""


def _rows() -> dict[str, str]:
    may = {True: "✓", False: "–"}
    roles = [
        f"| `subscription:{what}` | {' | '.join(may[role in allowed] for role in Role)} |"
        for what, allowed in ROLES.items()
    ]
    ranks = list(Level)
    levels = [
        f"| {level.value} | {' | '.join(may[ranks.index(level) >= ranks.index(action.value)] for action in Action)} |"
        for level in Level
    ]
    return {
        "roles": " | ".join(role.value for role in Role), "lines": "|".join(["---"] * len(Role)),
        "role_rows": "\n".join(roles), "level_rows": "\n".join(levels),
    }  # fmt: skip


def _addresses(app: Flask) -> Iterator[str]:
    by_policy: dict[str, list[tuple[str, str, Policy]]] = defaultdict(list)
    for rule in app.url_map.iter_rules():
        found = of_endpoint(app, rule.endpoint)
        if found is None:
            sys.exit(f"{rule.endpoint} declares no policy")
        by_policy[found.name] += [
            (str(rule), method, found) for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"})
        ]
    for name in sorted(by_policy, key=lambda one: (one not in (PUBLIC, SELF, OPERATOR), one)):
        yield f"\n### `{name}`\n\n| Method | Address | |\n|---|---|---|"
        for address, method, found in sorted(by_policy[name], key=lambda one: one[:2]):
            marks = ", ".join(
                word for word, is_so in (("fresh", found.is_fresh), ("token", found.is_for_tokens)) if is_so
            )
            yield f"| {method} | `{address.replace('|', chr(92) + '|')}` | {marks} |"


def written() -> str:
    """The whole file."""
    with TemporaryDirectory() as folder:
        settings = config.load({"INSTANCE_DIR": folder})
        # All routes that any settings open.
        app = create_app(replace(settings, testing=True))
        return HEAD.format(**_rows()) + "\n".join(_addresses(app)) + "\n"


if __name__ == "__main__":
    text = written()
    if "--check" in sys.argv:
        sys.exit(0 if FILE.read_text(encoding="utf-8") == text else "docs/permissions.md is old; run: make permissions")
    FILE.write_text(text, encoding="utf-8")
