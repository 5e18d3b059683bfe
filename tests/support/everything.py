"""One subscription with a row of everything that an address can name, and everybody who might ask for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from flask.testing import FlaskClient
from sqlalchemy import inspect
from sqlalchemy.types import Boolean, Date, DateTime, Enum, Integer, Numeric, Time
from werkzeug.routing import Rule

from invoiceapp.blueprints.tenancy import NAMED
from invoiceapp.domain.permissions import Level, Role
from invoiceapp.models import Base, Membership, SignInSession, Subscription, User, db, new_id, utcnow
from invoiceapp.models.types import Json
from invoiceapp.services.sign_in import tokens

#: Parameters of addresses that name no row of ours, each with one value that its route takes.
_PLAIN: dict[str, str] = {
    "kind": "sftp", "name": "own", "field": "own", "ending": "cer", "number": "1", "lookup_id": "x", "filename": "app.css",
    "token": "x", "_action": "export", "language": "da", "session_id": "x", "subscription_id": "x", "api_token_id": "x", "hold_id": "x",
}  # fmt: skip
#: What an address may hold: ``None`` stands for a row of ``World.ids``.
PARAMETERS: dict[str, str | None] = {**dict.fromkeys(NAMED), **_PLAIN}


_WORDS = {"da": "Ordrenummer mangler.", "en": "The order number is missing."}
#: What a page reads out of a row, where any value will not do.
_LIKE_REAL: dict[str, dict[str, Any]] = {
    "adaptor": {
        "name": "Billy", "source_kind": "billy", "source_config": {"base_url": "http://127.0.0.1:1/v2"},
        "organization": {"id": "org", "name": "Eksempel ApS", "registration_no": "12345674"},
    },
    "gateway": {
        "name": "SFTP", "kind": "sftp",
        "config": {"host": "127.0.0.1", "port": 1, "username": "u", "folder": ".", "filename": "{type}_{number}_{key8}"},
    },
    "customer": {"name": "Køge Kommune"},
    "document": {"number": "1001", "currency": "DKK", "customer_name": "Køge Kommune"},
    "problem": {"text": _WORDS, "turn": "source", "rule": "PEPPOL-EN16931-R003"},
    "notice": {"title": _WORDS, "body": _WORDS},
    "run": {"trigger": "manual"},
    "job": {"kind": "bulk"},
    "schedule": {
        "timing": {
            "kind": "daily", "minutes": 0, "minute": 0, "times": ["08:25"], "weekdays": [], "month_day": "", "cron": "",
        }
    },
    "settings_change": {"kind": "common", "actor": "bo@example.com"},
}  # fmt: skip


@dataclass
class World:
    """The rows' ids by the name of the parameter, and a client with headers for everybody."""

    ids: dict[str, str] = field(default_factory=dict)
    people: dict[str, tuple[FlaskClient, dict[str, str]]] = field(default_factory=dict)
    keys: dict[str, dict[str, str]] = field(default_factory=dict)
    """Headers with an API token of the owner, by its scope"""


def address(rule: Rule, world: World) -> str:
    """The rule's address, of the world's rows; of several fixed words the first."""
    values: dict[str, Any] = {}
    for name in rule.arguments:
        converter = rule._converters[name]
        fixed = getattr(converter, "items", None)
        values[name] = world.ids.get(name) or (sorted(fixed)[0] if fixed else converter.to_python(_PLAIN[name]))
    built = rule.build(values, append_unknown=False)
    assert built is not None, rule
    return built[1]


def _value(kind: Any, column: str) -> Any:
    if isinstance(kind, Json):
        return {}
    if isinstance(kind, Enum):
        return next(iter(kind.enum_class or kind.enums))
    for one, value in (
        (Boolean, False), (Integer, 0), (Numeric, Decimal(0)), (DateTime, utcnow()), (Date, date(2026, 11, 2)),
        (Time, time(7, 30)),
    ):  # fmt: skip
        if isinstance(kind, one) or isinstance(getattr(kind, "impl", None), one):
            return value
    return f"{column}-{new_id()}"[: getattr(kind, "length", None) or 60]


def make(model: type[Base], known: Mapping[str, str], **given: Any) -> Any:
    """A row with all that it needs; what points to another table points to ``known[table]``, if that is there."""
    values: dict[str, Any] = {}
    for column in inspect(model).columns:
        targets = [key.column.table.name for key in column.foreign_keys]
        if targets and targets[0] in known:
            values[column.key] = known[targets[0]]
        elif (
            not column.nullable and column.default is None and column.server_default is None and not column.primary_key
        ):
            values[column.key] = _value(column.type, column.key)
    row = model(**{**values, **_LIKE_REAL.get(inspect(model).local_table.name, {}), **given})
    db.session.add(row)
    db.session.flush()
    return row


def make_world(sign_in: Callable[[User], FlaskClient]) -> World:
    """The whole of it, committed."""
    world, known = World(), {}
    ours = make(Subscription, {}, name="Eksempel ApS")
    known["subscription"] = ours.id
    people = {name: _member(ours.id, name, role) for name, role in _PEOPLE.items()}
    known["user_account"] = make(User, {}, email="berit@example.com", fs_uniquifier=new_id()).id
    shared = {"creator_id": None, "grants": _grants(people), "is_locked": False}
    for name, model in NAMED.items():
        mapped = inspect(model)
        row = make(
            model,
            known,
            **{key: value for key, value in shared.items() if key in mapped.columns and "grants" in mapped.columns},
        )
        world.ids[name] = row.id
        known.setdefault(mapped.local_table.name, row.id)
    theirs = make(Subscription, {}, name="Fremmed A/S")
    people["stranger"] = _member(theirs.id, "stranger", Role.OWNER)
    _end(people["suspended"])
    db.session.commit()
    world.people = {name: (sign_in(user), {}) for name, user in people.items()}
    world.people["expired"] = _expired(sign_in, people["owner"])
    world.keys = {scope: _key(people["owner"], scope) for scope in ("read", "operate")}
    return world


_PEOPLE = {
    "viewer": Role.MEMBER, "operator": Role.MEMBER, "editor": Role.MEMBER, "manager": Role.MEMBER, "outsider": Role.MEMBER,
    "admin": Role.ADMIN, "owner": Role.OWNER, "auditor": Role.AUDITOR, "suspended": Role.OWNER,
}  # fmt: skip


def _member(subscription_id: str, name: str, role: Role) -> User:
    user = User(
        email=f"{name}@example.com", name=name, password="correct-horse-battery", active=True, fs_uniquifier=new_id()
    )
    db.session.add(user)
    db.session.flush()
    last_day = utcnow().date() + timedelta(days=30) if role is Role.AUDITOR else None
    db.session.add(Membership(subscription_id=subscription_id, user_id=user.id, role=role, last_day=last_day))
    db.session.flush()
    return user


def _grants(people: Mapping[str, User]) -> list[dict[str, Any]]:
    each = [{"to": "user", "level": level.value, "id": people[level.value].id} for level in Level]
    return [*each, {"to": "admins", "level": "manager"}]


def _end(user: User) -> None:
    db.session.query(Membership).filter_by(user_id=user.id).one().suspended_at = utcnow()


def _key(user: User, scope: str) -> dict[str, str]:
    membership = db.session.query(Membership).filter_by(user_id=user.id).one()
    return {"Authorization": f"Bearer {tokens.make(membership, scope, scope, '90', [], [])}"}


def _expired(sign_in: Callable[[User], FlaskClient], user: User) -> tuple[FlaskClient, dict[str, str]]:
    before = {row.id for row in db.session.query(SignInSession)}
    client = sign_in(user)
    row = next(row for row in db.session.query(SignInSession) if row.id not in before)
    row.created_at = row.last_seen_at = datetime(2020, 1, 1, tzinfo=utcnow().tzinfo)
    db.session.commit()
    return client, {}
