"""Ids of another company, wherever an id can be sent: in addresses, forms and queries of the real pages."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from support.page_forms import Form
from support.tenants import SKIPPED, Attacker, House, Tenant, addresses, all_forms, is_for_people
from werkzeug.test import TestResponse

from invoiceapp.blueprints.policy import of_endpoint

pytestmark = pytest.mark.server

#: What is not the victim's although it speaks of their ids: the attacker's own audit trail says what they tried.
_OWN_TRAIL = frozenset({"audit_entry"})
#: Fields of our forms and queries that take ids, whether a page offers them to this person or not.
_ID_FIELDS = {
    "ids": "document", "customer_ids": "customer", "customers": "customer", "document": "document", "documents": "document",
    "gateway": "gateway", "gateway_id": "gateway", "default_gateway": "gateway", "adaptor": "adaptor",
    "adaptors": "adaptor", "adaptor_id": "adaptor", "template": "setting_template", "group": "user_group",
    "groups": "user_group", "members": "membership", "member": "membership", "stays": "membership",
    "user": "user_account", "user_id": "user_account", "subscription": "subscription", "recipient": "recipient",
    "escalate_to": "recipient", "run": "run", "problem": "problem", "customer": "customer", "from": "customer",
    "job": "job", "up_to": "notice", "notice": "notice", "default_of": "adaptor", "row": "document", "hold": "legal_hold",
}  # fmt: skip
#: So that a gateway is really made.
_SFTP = {"name": ["Ny"], "host": ["127.0.0.1"], "port": ["22"], "username": ["u"], "password": ["p"], "folder": ["."]}


def _mentions(rows: dict[str, list[tuple[Any, ...]]], ids: set[str], *, own_trail: str) -> set[tuple[str, str]]:
    """The rows that hold one of the ids anywhere, as texts; without the attacker's own audit trail."""
    wanted = re.compile("|".join(sorted(ids)))
    found = ((table, repr(row)) for table, entries in rows.items() for row in entries)
    return {
        (table, row) for table, row in found if wanted.search(row) and not (table in _OWN_TRAIL and own_trail in row)
    }


def _told(answer: TestResponse, victim: Tenant) -> list[str]:
    """What is wrong with an answer."""
    said = answer.text + str(answer.headers)
    return [what for what, is_so in (("shows", victim.text in said), ("fails", answer.status_code >= 500)) if is_so]


@pytest.mark.parametrize("who", ["owner of another company", "member with whom nothing is shared"])
def test_an_address_with_an_id_of_others_finds_nothing_and_moves_nothing(open_house: House, who: str) -> None:
    house, victim = open_house, open_house.ours
    is_stranger = who.startswith("owner")
    attacker = Attacker(house.theirs.owner if is_stranger else victim.people["member"])
    of_attacker = house.theirs.subscription_id if is_stranger else victim.subscription_id
    before, wrong, called = _mentions(house.rows(), victim.ids, own_trail=of_attacker), [], 0
    for method, endpoint, path in addresses(house, victim, names_rows=True):
        if not is_for_people(house, endpoint):
            continue
        called += 1
        answer = attacker.send(method, path, data={"name": "Kapret", "ids": list(victim.world.ids.values())})
        kind = of_endpoint(house.app, endpoint).kind  # type: ignore[union-attr]
        # Lists of people and groups are for administrators, and subscriptions and own keys are looked up by the view.
        allowed = {404, 403} if kind in ("self", "subscription") else {404}
        if is_stranger or kind not in ("self", "subscription"):
            wrong += [f"{method} {path}: {answer.status_code}"] if answer.status_code not in allowed else []
        wrong += [f"{method} {path} {what}" for what in _told(answer, victim) if is_stranger or what == "fails"]
    assert called > 130 and not wrong, "\n".join(wrong)
    after = _mentions(house.rows(), victim.ids, own_trail=of_attacker)
    moved = {table for table, _row in before ^ after} - (
        {"sign_in_session", "audit_chain"} if not is_stranger else set()
    )
    house.fresh()
    assert not moved


def _with_foreign_ids(form: Form, own: Tenant, victim: Tenant) -> Form:
    """The form with the victim's id wherever it has one of ours."""
    swapped = {own.rows[table]: victim.rows[table] for table in own.rows}
    swapped |= {own.users[role]: victim.users[role] for role in own.users}
    pattern = re.compile("|".join(sorted(swapped)))
    replaced = tuple((name, pattern.sub(lambda hit: swapped[hit[0]], value)) for name, value in form.fields)
    return Form(form.action, replaced)


def _sent(house: House, attacker: Attacker, own: Tenant, victim: Tenant) -> Iterator[tuple[str, Any]]:
    """What is to be posted: our forms with foreign ids, and to every address all fields that take ids."""
    for form in all_forms(house, attacker, own):
        changed = _with_foreign_ids(form, own, victim)
        if changed != form:
            yield changed.action, changed.data
    sprayed = {name: [victim.rows[table]] for name, table in _ID_FIELDS.items()}
    by_kind = {"ids": ["document", "customer", "approval", "notice"]}
    for method, endpoint, path in addresses(house, own):
        if method != "GET" and is_for_people(house, endpoint) and path not in SKIPPED:
            mixed = {**sprayed, **{name: [victim.rows[table] for table in tables] for name, tables in by_kind.items()}}
            mixed |= _SFTP | {"step": ["apply"], "action": ["try-again"], "scope": [victim.rows["adaptor"]]}
            yield path, mixed


def test_an_id_of_others_in_a_form_or_query_changes_nothing_of_theirs_and_is_kept_nowhere(
    open_house: House,
) -> None:
    house = open_house
    own, victim = house.theirs, house.ours
    attacker = Attacker(own.owner)
    before, wrong, count = _mentions(house.rows(), victim.ids, own_trail=own.subscription_id), [], 0
    for path, data in list(_sent(house, attacker, own, victim)):
        count += 1
        answer = attacker.send("POST", path, data=data)
        after = _mentions(house.rows(), victim.ids, own_trail=own.subscription_id)
        wrong += [f"{path} {what}" for what in _told(answer, victim)]
        wrong += [f"{path} {answer.status_code} moves {table}: {row[:300]}" for table, row in sorted(before ^ after)]
        house.fresh()
    for method, endpoint, path in addresses(house, own):
        if method == "GET" and is_for_people(house, endpoint):
            count += 1
            answer = attacker.send(
                "GET", path, query_string={name: victim.rows[table] for name, table in _ID_FIELDS.items()}
            )
            wrong += [f"GET {path} {what}" for what in _told(answer, victim)]
    assert count > 250 and not wrong, f"{count}\n" + "\n".join(wrong)
