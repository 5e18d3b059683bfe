"""Changes of audited rows, noticed where SQLAlchemy writes them: no query more, and nothing where nobody acts.

Models are named, not imported, so that one that is added elsewhere only needs its line here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from sqlalchemy import event, inspect, select
from sqlalchemy.orm import Mapper, ORMExecuteState, Session, attributes
from sqlalchemy.orm.base import PASSIVE_NO_INITIALIZE
from sqlalchemy.orm.util import identity_key

from invoiceapp.models import Membership, User, db
from invoiceapp.services.audit.values import UNKNOWN, is_secret, narrowed, shown
from invoiceapp.services.audit.writing import Draft, current, draft_of, pending

AUDITED = frozenset(
    {
        "Adaptor", "ApiToken", "Approval", "Customer", "ExportRule", "Gateway", "Group", "GroupMember", "Identity",
        "Invitation", "LegalHold", "Match", "Membership", "MonthEndProof", "Passkey", "Preference", "Receiver", "Recipient", "Retention",
        "Schedule", "SettingTemplate", "SettingsChange", "Subscription", "User", "Watch", "Webhook",
    }
)  # fmt: skip
#: Of these only what a person decides; the rest is read from elsewhere.
_ONLY = {
    "Customer": frozenset({"is_new"}),
    "Identity": frozenset({"user_id", "issuer"}),
    "Match": frozenset({"pinned", "accepted"}),
    "Passkey": frozenset({"user_id", "name", "usage"}),
}
#: What workers move, and what other columns say already.
_LEFT_OUT = frozenset(
    {
        "id", "created_at", "updated_at", "subscription_id", "fs_uniquifier",
        "failures", "failing_since", "retry_at", "expiries", "expiries_at", "expiry_level", "seen", "seen_at", "collect_at",
        "watermark", "retry_ids", "next_match_at", "next_reconciliation_at", "next_at", "anchor_at", "customers_read_at", "source_checked_at",
        "source_error", "error", "off_at", "answered_at", "alarms_at", "arrivals_at", "last_run_id", "fence", "tries",
        "lease_owner", "lease_until", "lease_token", "last_login_at", "current_login_at", "last_login_ip",
        "current_login_ip", "login_count", "last_used_at", "lastuse_datetime", "sign_count", "last_seen_at", "token_ends",
    }
)  # fmt: skip
#: What waits for a second person, before the value itself; names are written once, in Danish.
_APPROVALS = {
    "account": "bankkonto", "gateway": "destinationen for gatewayen", "endpoint": "modtageradressen",
    "customer": "første faktura til", "amount": "beløbet",
}  # fmt: skip
#: One entry for more rows of a kind than this in one flush.
MANY = 20
_MOST_IDS = 500


@event.listens_for(db.session, "after_flush")
def _flushed(session: Session, _context: Any) -> None:
    if current() is None:
        return
    found: dict[tuple[str, str], list[Draft]] = {}
    for act, rows in (("created", session.new), ("changed", session.dirty), ("deleted", session.deleted)):
        for row in rows:
            if type(row).__name__ in AUDITED and (draft := _draft(session, act, row)):
                found.setdefault((draft.act, draft.kind or ""), []).append(draft)
    for drafts in found.values():
        pending(session).extend([_summary(drafts)] if len(drafts) > MANY else drafts)


def _draft(session: Session, act: str, row: Any) -> Draft | None:
    name, loaded = type(row).__name__, row.__dict__
    if name == "SettingsChange":
        return _settings(loaded, loaded["before"], loaded["after"]) if act == "created" else None
    before, after = _values(act, row)
    if not (before or after) and (act == "changed" or name in _ONLY):
        return None
    draft = draft_of(
        current(), act, _chain(name, loaded), kind_of(name), _id(row), _name(session, name, loaded),
        None if act == "created" else before, None if act == "deleted" else after,
    )  # fmt: skip
    if act == "changed" and "settings" in after:
        draft.settings_of = (
            (loaded["adaptor_id"], loaded["customer_id"]) if name == "ExportRule" else (draft.id or "", None)
        )
    return draft


def kind_of(name: str) -> str:
    """``export_rule`` of ``ExportRule``."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


def _columns(name: str, mapper: Mapper[Any]) -> Iterator[str]:
    only = _ONLY.get(name)
    for column in mapper.column_attrs:
        if (column.key in only) if only else (column.key not in _LEFT_OUT):
            yield column.key


def _values(act: str, row: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Old and new of the columns that changed; of a row that is made or deleted, what is in it."""
    mapper: Mapper[Any] = inspect(row).mapper
    before: dict[str, Any] = {}
    after: dict[str, Any] = {}
    for key in _columns(type(row).__name__, mapper):
        if act != "changed":
            value = row.__dict__.get(key)
            if value not in (None, "", [], {}):
                before[key] = after[key] = shown(key, value)
            continue
        history = attributes.get_history(row, key, PASSIVE_NO_INITIALIZE)
        if history.added:
            old, new = narrowed(history.deleted[0] if history.deleted else UNKNOWN, history.added[0])
            before[key] = UNKNOWN if old == UNKNOWN and not is_secret(key) else shown(key, old)
            after[key] = shown(key, new)
    return before, after


def _id(row: Any) -> str | None:
    return "/".join(str(part) for part in inspect(row).mapper.primary_key_from_instance(row))[:64]


def _chain(name: str, loaded: dict[str, Any]) -> str | None:
    if name == "Subscription":
        return str(loaded["id"])
    context = current()
    return loaded.get("subscription_id") or (context.where() if context else None)


def _name(session: Session, name: str, loaded: dict[str, Any]) -> str:
    """What people call the row, as far as that is at hand."""
    if name in ("Membership", "GroupMember"):
        user_id = loaded.get("user_id")
        if name == "GroupMember":
            member = session.identity_map.get(identity_key(Membership, loaded.get("membership_id")))
            user_id = member.__dict__.get("user_id") if member else None
        user = session.identity_map.get(identity_key(User, user_id)) if user_id else None
        return str(user.__dict__.get("email", "")) if user else ""
    if name == "ExportRule":
        customer = loaded.get("customer")
        return str(customer.__dict__.get("name", "")) if customer else ""
    if name == "Approval" and "shown" in loaded:
        return f"{_APPROVALS.get(loaded['kind'], '')} {loaded['shown']}"
    return str(loaded.get("email") or loaded.get("name") or "")


def _settings(values: dict[str, Any], before: dict[str, Any], after: dict[str, Any]) -> Draft:
    """One save of settings, which has old and new already."""
    customer_id = values.get("customer_id")
    draft = draft_of(
        current(), "changed", values.get("subscription_id"), "customer_settings" if customer_id else "settings",
        customer_id or values.get("adaptor_id"), "", _plain(before), _plain(after),
    )  # fmt: skip
    draft.settings_of = (values["adaptor_id"], customer_id)
    return draft


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    return {str(key): shown(str(key), value) for key, value in values.items()}


def _summary(drafts: list[Draft]) -> Draft:
    """One entry for many rows of a kind: how many, which, and what they have in common."""
    first = drafts[0]
    after = _in_common([draft.after or draft.before or {} for draft in drafts])
    return _many(first.act, first.kind or "", first.chain, [draft.id or "" for draft in drafts], len(drafts), after)


def _in_common(values: list[dict[str, Any]]) -> dict[str, Any]:
    return {key: value for key, value in values[0].items() if all(one.get(key) == value for one in values)}


def _many(
    act: str, kind: str, chain: str | None, ids: list[str], count: int, values: dict[str, Any]
) -> Draft:  # fmt: skip
    after = {**values, "rows": count}
    if ids:
        after["ids"] = ids[:_MOST_IDS]
    return draft_of(current(), act, chain, kind, None, "", None, after)


@event.listens_for(db.session, "do_orm_execute")
def _statement(state: ORMExecuteState) -> Any:
    """INSERT, UPDATE and DELETE of many rows at once: one entry each, with what they say and how many rows it met."""
    mapper = state.bind_mapper
    if state.is_select or mapper is None or mapper.class_.__name__ not in AUDITED or current() is None:
        return None
    name = mapper.class_.__name__
    if state.is_insert:
        result: Any = state.invoke_statement()
        rows = state.parameters if isinstance(state.parameters, list) else [_bound(state)]
        draft = _from_rows("created", name, mapper, rows)
    elif isinstance(state.parameters, list):
        result = state.invoke_statement()
        draft = _from_rows("changed", name, mapper, state.parameters)
    else:
        found = _concerned(state, mapper, name)
        result = state.invoke_statement()
        draft = _from_statement(state, mapper, name, found, result.rowcount)
    if draft:
        pending(state.session).append(draft)
    return result


def _bound(state: ORMExecuteState) -> dict[str, Any]:
    """A statement's own values, which have the names of their columns; those of its conditions are numbered."""
    statement: Any = state.statement
    given = state.parameters if isinstance(state.parameters, dict) else {}
    return {**statement.compile().params, **given}


def _concerned(state: ORMExecuteState, mapper: Mapper[Any], name: str) -> list[dict[str, Any]]:
    """The rows that a statement is about to change, as they are: their keys and what it changes of them."""
    statement: Any = state.statement
    bound = _bound(state)
    wanted = [key for key in _columns(name, mapper) if key in bound or state.is_delete]
    if not wanted:
        return []
    keys = [str(column.key) for column in mapper.primary_key]
    owner = [key for key in ("subscription_id",) if key in mapper.columns]
    columns = [mapper.columns[key] for key in dict.fromkeys([*keys, *owner, *wanted])]
    query = select(*columns).limit(_MOST_IDS)
    if statement.whereclause is not None:
        query = query.where(statement.whereclause)
    return [dict(row) for row in state.session.execute(query, state.parameters or None).mappings()]


def _from_rows(act: str, name: str, mapper: Mapper[Any], rows: Any) -> Draft | None:
    columns = set(_columns(name, mapper))
    values = [{key: shown(key, value) for key, value in row.items() if key in columns} for row in rows]
    if not rows or not any(values):
        return None
    ids = [str(row.get("customer_id") or row.get("id") or "") for row in rows]
    chain = _chain(name, rows[0])
    kind = "customer_settings" if name == "SettingsChange" else kind_of(name)
    return _many("changed" if name == "SettingsChange" else act, kind, chain, ids, len(rows), _in_common(values))


def _from_statement(
    state: ORMExecuteState, mapper: Mapper[Any], name: str, found: list[dict[str, Any]], count: int
) -> Draft | None:  # fmt: skip
    bound = {} if state.is_delete else _bound(state)
    columns = [key for key in _columns(name, mapper) if key in bound or state.is_delete]
    if count < 1 or not found or not columns:
        return None
    act = "deleted" if state.is_delete else "changed"
    pairs = {key: narrowed(found[0][key], bound[key]) if key in bound else (found[0][key], None) for key in columns}
    after = {key: shown(key, pair[1]) for key, pair in pairs.items() if key in bound}
    keys = [str(column.key) for column in mapper.primary_key]
    ids = ["/".join(str(row[key]) for key in keys) for row in found]
    chain = found[0].get("subscription_id") or _chain(name, {})
    if count == len(found) == 1:
        before = {key: shown(key, pair[0]) for key, pair in pairs.items()}
        if act == "changed" and before == after and not any(map(is_secret, columns)):
            return None
        return draft_of(current(), act, chain, kind_of(name), ids[0], "", before, after or None)
    return _many(act, kind_of(name), chain, ids, count, after)
