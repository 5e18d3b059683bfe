"""Fields that no form has: nobody can give themselves a row, a role or a state by naming it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from support.page_forms import Form
from support.tenants import SKIPPED, Attacker, House, addresses, all_forms, is_for_people

from invoiceapp.models import db

pytestmark = pytest.mark.server

MARK = "Indsmuglet-4711"
#: Of rows that are there already, what no form but those of ``_MAY`` changes.
_FROZEN: dict[str, tuple[str, ...]] = {
    "subscription": ("id", "is_demo", "created_at"),
    "user_account": (
        "id", "active", "fs_uniquifier", "password", "email", "confirmed_at", "tf_totp_secret", "created_at", "login_count",
    ),
    "membership": ("id", "subscription_id", "user_id", "role", "last_day", "suspended_at"),
    "gateway": ("id", "subscription_id", "creator_id", "grants", "is_locked", "secrets", "failures"),
    "adaptor": ("id", "subscription_id", "creator_id", "grants", "is_locked", "source_kind", "source_secrets", "watermark"),
    "setting_template": ("id", "subscription_id", "creator_id", "grants", "is_locked"),
    "document": ("id", "subscription_id", "adaptor_id", "customer_id", "number", "net", "bundle_sha256", "created_at"),
    "delivery": ("id", "subscription_id", "document_id", "idem_key", "fence", "created_at"),
    "customer": ("id", "subscription_id", "adaptor_id", "source_id", "name", "gln"),
    "invitation": ("id", "subscription_id", "email", "role", "accepted_at", "invited_by_id"),
    "api_token": ("id", "subscription_id", "user_id", "scope", "secret_hash", "expires_at"),
    "approval": ("id", "subscription_id", "adaptor_id", "kind", "fingerprint", "is_baseline"),
    "audit_entry": ("id", "chain", "seq", "actor", "act", "after", "hash", "previous"),
}  # fmt: skip
#: What these endpoints are for, by table and column.
_MAY: dict[str, frozenset[tuple[str, str]]] = {
    "people.transfer": frozenset({("membership", "role")}),
    "people.change": frozenset({("membership", "role"), ("membership", "last_day")}),
    "people.suspend": frozenset({("membership", "suspended_at")}),
    "people.lift": frozenset({("membership", "suspended_at")}),
    "sharing.save_adaptor": frozenset({("adaptor", "grants"), ("adaptor", "is_locked")}),
    "sharing.save_gateway": frozenset({("gateway", "grants"), ("gateway", "is_locked")}),
    "sharing.save_template": frozenset({("setting_template", "grants"), ("setting_template", "is_locked")}),
    "gateways.save": frozenset({("gateway", "secrets")}), "gateways.resume": frozenset({("gateway", "failures")}),
    "source.connect": frozenset({("adaptor", "source_secrets")}),
    "people.resend": frozenset(),
}  # fmt: skip


def _extras(house: House) -> dict[str, list[str]]:
    theirs, ours = house.theirs, house.ours
    return {
        "id": [MARK], "subscription_id": [theirs.subscription_id], "subscription": [theirs.subscription_id],
        "creator_id": [theirs.users["owner"]], "user_id": [theirs.users["owner"]], "created_at": ["1999-01-01T00:00:00"],
        "grants": [f'[{{"to": "everybody", "level": "manager", "id": "{MARK}"}}]'], "grants.0.level": ["manager"],
        "is_locked": ["1"], "locked": ["1"], "role": ["owner"], "roles": ["owner"], "level": ["manager"],
        "state": ["delivered"], "status": ["delivered"], "stage": ["converted"], "secrets": [f'{{"password": "{MARK}"}}'],
        "secret": [MARK], "password_hash": [MARK], "is_demo": ["1"], "active": ["1"], "fs_uniquifier": [MARK],
        "tf_totp_secret": [MARK], "confirmed_at": ["2020-01-01"], "is_admin": ["1"], "adaptor_id": [theirs.rows["adaptor"]],
        "customer_id": [theirs.rows["customer"]], "document_id": [theirs.rows["document"]], "fence": ["999"],
        "idem_key": [MARK], "bundle": [MARK], "bundle_sha256": [MARK], "net": ["0.01"], "actor": [MARK], "hash": [MARK],
        "approved_by": [MARK], "approved_at": ["2020-01-01"], "invited_by_id": [theirs.users["owner"]],
        "accepted_at": ["2020-01-01"], "expires_at": ["2099-01-01"], "token_hash": [MARK], "secret_hash": [MARK],
        "scope_id": [ours.rows["adaptor"]], "source_kind": [MARK], "source_secrets": [MARK], "watermark": [MARK],
        "_method": ["DELETE"], "__class__": [MARK], "needs_second_factor.x": ["1"], "is_baseline": ["1"], "decided_by_id": [MARK],
    }  # fmt: skip


def _sent(house: House, owner: Attacker) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Endpoint, address and data: all forms as they stand with the fields that they do not have, and those alone."""
    by_path = {path: endpoint for method, endpoint, path in addresses(house, house.ours) if method == "POST"}
    forms = {one.action.partition("?")[0]: one for one in all_forms(house, owner, house.ours)}
    for path, endpoint in by_path.items():
        if path in SKIPPED or not is_for_people(house, endpoint):
            continue
        form: Form | None = forms.get(path)
        known = form.data if form else {}
        # Of several choices the first, as a person who changes nothing.
        chosen = {name: values[:1] for name, values in known.items()}
        yield endpoint, path, {**{name: value for name, value in _extras(house).items() if name not in known}, **chosen}


def _columns() -> dict[str, list[str]]:
    return {table.name: [column.name for column in table.columns] for table in db.metadata.sorted_tables}


def _changed(before: Any, after: Any, columns: dict[str, list[str]]) -> set[tuple[str, str]]:
    """Table and column of everything frozen that is another one now; rows that are gone are none."""
    found = set()
    for table, names in _FROZEN.items():
        place = columns[table].index("id")
        old = {row[place]: row for row in before[table]}
        for row in after[table]:
            known = old.get(row[place])
            found |= {
                (table, name)
                for name in names
                if known and known[columns[table].index(name)] != row[columns[table].index(name)]
            }
    return found


def test_no_form_takes_fields_that_it_does_not_have(open_house: House) -> None:
    house = open_house
    owner, before, wrong, count = Attacker(house.ours.owner), house.rows(), [], 0
    columns = _columns()
    for endpoint, path, data in list(_sent(house, owner)):
        count += 1
        answer = owner.send("POST", path, data=data)
        after = house.rows()
        frozen = _changed(before, after, columns) - _MAY.get(endpoint, frozenset())
        wrong += [f"{endpoint} changes {sorted(frozen)}"] if frozen else []
        for table in after.keys() - {"audit_entry"}:
            touched = set(before[table]) ^ set(after[table])
            wrong += [f"{endpoint} wrote into {table}: {row!r:.300}" for row in touched if MARK in repr(row)]
            wrong += [
                f"{endpoint} moved {table}: {row!r:.300}"
                for row in touched
                if house.theirs.subscription_id in repr(row)
            ]
        wrong += [f"{endpoint}: {answer.status_code}"] if answer.status_code >= 500 else []
        house.fresh()
    assert count > 100 and not wrong, "\n".join(wrong)
