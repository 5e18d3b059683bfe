"""Two companies of one installation, each with a row in every table and a text of ours in every column that people read.

For attacks: what one of them sends must neither show nor move anything of the other. Always on SQLite, because the
database is put back from a file between attacks.
"""

from __future__ import annotations

import base64
import hashlib
import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape, quoteattr

import fakeredis
from conftest import _forget_last_request, _sign_in
from flask import Flask
from flask.testing import FlaskClient
from jinja2 import BytecodeCache
from sqlalchemy import create_engine, inspect
from sqlalchemy.types import Enum, String
from support import everything
from support.everything import World, make
from support.page_forms import Form, forms
from werkzeug.test import TestResponse

from invoiceapp import auditing, create_app
from invoiceapp.blueprints.policy import of_endpoint
from invoiceapp.blueprints.tenancy import NAMED
from invoiceapp.config import Config
from invoiceapp.domain.permissions import Role
from invoiceapp.models import Base, Membership, Subscription, User, db, new_id, utcnow
from invoiceapp.outbound.guard import networks
from invoiceapp.services.export import archive

#: Columns that people fill in or that come from elsewhere, as texts.
_TEXTS = frozenset(
    {
        "about", "accepted_by", "actor", "again_by", "approved_by", "city", "customer_name", "customer_order",
        "description", "gln", "html", "ip", "last_used_ip", "lifted_by", "made_by", "name", "note",
        "number", "object_name", "order_number", "reason", "receiver", "reference", "registered_name",
        "registration_no", "remote_ref", "reply", "resumed_by", "revoked_by", "sender", "shown", "source_id",
        "subject", "supplier_order", "text", "undone_by", "user_agent",
    }
)  # fmt: skip
_SOON = "2027-01-01T00:00:00+00:00"


def config_of(folder: Path, **more: Any) -> Config:
    """Settings that name nothing outside this folder."""
    values: dict[str, Any] = {
        "production": False, "secret_key": "s" * 20 + "ecret-for-tests-only", "testing": True,
        "password_salt": "salt-for-tests-only-1234567890",
        "encryption_keys": ("k1:" + base64.b64encode(bytes(range(32))).decode(),),
        "database_url": f"sqlite:///{folder / 'attacked.sqlite3'}", "redis_url": f"unix://{folder / 'no-redis.sock'}",
        "instance_dir": folder / "instance", "archive_dir": folder / "archive", "rules_dir": folder / "rules",
        "base_url": "http://localhost", "trusted_hosts": ("localhost", "127.0.0.1"), "proxies": 0,
        "require_official_rules": False, "demo": False, "outbound_networks": networks(["127.0.0.0/8", "::1"]),
        "secrets_dir": folder / "secrets",
    }  # fmt: skip
    return Config(**{**values, **more})


def _text(text: str) -> dict[str, str]:
    return {"da": text, "en": text}


def _json_of(table: str, text: str) -> dict[str, Any]:
    """Values of JSON columns as they really look, with the text wherever one may come from elsewhere."""
    finding = {
        "rule": "PEPPOL-EN16931-R003", "severity": "fatal", "text": _text(text), "turn": "source", "term": "BT-13",
        "location": text, "fix": "customer.orderNumber",
    }  # fmt: skip
    failure = {"class": "Rejected", **_text(text), "detail": text}
    settings = {
        "general": {"note": text, "paymentTerms": text},
        "supplier": {"name": text, "contactName": text, "bankAccount": text},
        "customer": {"buyerReference": text, "name": text, "street": text, "orderNumber": text},
    }
    kept = [{"at": _SOON, "by": text, "state": "waiting", "note": text}]
    found: dict[str, dict[str, Any]] = {
        "adaptor": {
            "organization": {
                "id": text, "name": text, "registration_no": text, "last_month": 12,
                "tax_rates": [{"id": "rate", "name": text, "rate": "0.25"}],
            },
            "source_error": _text(text), "settings": settings,
        },
        "gateway": {
            "config": {"host": "127.0.0.1", "port": 1, "username": text, "folder": text, "filename": "{number}_{key8}"},
            "paused_reason": {**_text(text), "by": text}, "paused_at": utcnow(),
            "expiries": [{"field": "host_key", **_text(text), "ends": _SOON, "fingerprint": text}],
            "expiries_at": utcnow() + timedelta(days=1), "seen": {"host_key": text, "at": _SOON},
        },
        "customer": {
            "problems": [
                {
                    "rule": finding["rule"], "text": _text(text), "turn": "source", "fix": finding["fix"], "documents": 1,
                    "examples": [{"id": "x", "number": text}],
                }
            ],
            "readiness": "needs", "raw": {"name": text},
        },
        "document": {"bundle": {"invoice": {"invoiceNo": text}}, "error": failure},
        "rendition": {"findings": [finding], "rule_sets": [{"name": text, "version": text, "sha256": text}]},
        "delivery": {"error": failure, "findings": [finding], "state": "failed", "tries": 1},
        "attempt": {"error": failure, "wire_ids": {"message_id": text}, "outcome": "rejected", "number": 1},
        "receipt": {"evidence": {"reply": text, "status": text}},
        "event": {"data": {"reason": text, "number": text, "text": _text(text)}, "kind": "handled"},
        "export_rule": {"settings": settings, "format": "peppol-bis-3", "active": True},
        "match": {"remarks": [finding], "state": "several"},
        "lookup": {"answer": {"company_name": text, "found": []}, "exchanges": []},
        "problem": {"text": _text(text), "numbers": [text]},
        "notice": {"title": _text(text), "body": _text(text), "path": "/runs"},
        "run": {"error": _text(text), "problems": [{"id": text, **_text(text)}], "state": "failed"},
        "job": {"error": _text(text), "state": "failed", "parameters": {"change": "activate"}},
        "found_document": {"text": _text(text), "group": "unfit"},
        "incoming_message": {
            "headers": {"Subject": text}, "outcome": [{"delivery": None, "verdict": "unknown", **_text(text)}],
        },
        "webhook": {"error": _text(text), "url": "https://127.0.0.1:8443/hook"},
        "mail": {"error": failure},
        "approval": {"known": [text], "history": kept},
        "setting_template": {"settings": {"supplier": settings["supplier"]}},
        "settings_change": {"before": {"supplier": {"name": text}}, "after": {"supplier": {"name": f"{text}."}}},
        "legal_hold": {"scope": "subscription"},
        "audit_entry": {"before": {"name": text}, "after": {"name": text}},
    }  # fmt: skip
    return found.get(table, {})


@dataclass
class Tenant:
    """One company: its rows' ids by parameter and by table, and who belongs to it."""

    subscription_id: str
    text: str
    """Stands in every text of its rows"""
    world: World = field(default_factory=World)
    rows: dict[str, str] = field(default_factory=dict)
    people: dict[str, FlaskClient] = field(default_factory=dict)
    users: dict[str, str] = field(default_factory=dict)

    @property
    def ids(self) -> set[str]:
        """Of everything that it has."""
        return {self.subscription_id, *self.world.ids.values(), *self.rows.values(), *self.users.values()}

    @property
    def owner(self) -> FlaskClient:
        """Signed in."""
        return self.people["owner"]


def _columns(model: type[Base], text: str) -> dict[str, Any]:
    table = inspect(model).local_table
    found: dict[str, Any] = {}
    for column in inspect(model).columns:
        if isinstance(column.type, String) and not isinstance(column.type, Enum) and column.key in _TEXTS:
            found[column.key] = text[: getattr(column.type, "length", None) or 2000]
    return {**found, **_json_of(table.name, text)}


def _models() -> list[type[Base]]:
    by_table = {mapper.local_table: mapper.class_ for mapper in Base.registry.mappers}
    found = [by_table[table] for table in db.metadata.sorted_tables if table in by_table]
    # It points to a document without a foreign key.
    return sorted(found, key=lambda model: inspect(model).local_table.name == "approval_wait")


#: Made apart, or without anything that belongs to somebody.
_NOT_MADE = frozenset(
    {"subscription", "user_account", "membership", "sign_in_session", "sign_in_failure", "host_slot", "discarded_file"}
    | {"audit_entry", "audit_chain", "tally", "archive_check", "signing_key"}
)
#: What all rows of a table have in common with a real one.
_FIXED: dict[str, dict[str, Any]] = {
    "recipient": {"email": None, "language": "en", "zone": "Europe/Copenhagen"},
    "document": {"number_key": "1001", "amount_key": 0, "stage": "converted"},
    "api_token": {"expires_at": datetime(2030, 1, 1, tzinfo=UTC)},
    "invitation": {"expires_at": datetime(2030, 1, 1, tzinfo=UTC), "email": "ny@example.com"},
}


def tenant(text: str, sign_in: Any, name: str) -> Tenant:
    """A company with everything; its rows are open to its administrators only."""
    ours = make(Subscription, {}, name=text)
    found = Tenant(ours.id, text)
    for role in (Role.OWNER, Role.ADMIN, Role.MEMBER, Role.AUDITOR):
        user = make(
            User, {}, email=f"{role.value}-{name}@example.com", name=text, password="correct-horse-battery", active=True,
            fs_uniquifier=new_id(), language="en",
        )  # fmt: skip
        last_day = utcnow().date() + timedelta(days=30) if role is Role.AUDITOR else None
        row = make(Membership, {}, subscription_id=ours.id, user_id=user.id, role=role, last_day=last_day)
        found.users[role.value], found.people[role.value] = user.id, sign_in(user)
        found.rows.setdefault("membership", row.id)
    found.rows |= {"subscription": ours.id, "user_account": found.users["owner"]}
    for model in _models():
        _add(model, found)
    parameters = {name: inspect(model).local_table.name for name, model in NAMED.items()}
    found.world.ids = {name: found.rows[table] for name, table in parameters.items()}
    found.world.ids |= {"subscription_id": ours.id, "api_token_id": found.rows["api_token"]}
    found.world.ids |= {"hold_id": found.rows["legal_hold"], "session_id": new_id()}
    db.session.commit()
    return found


def _own_values(table: str, found: Tenant) -> dict[str, Any]:
    """What is not the same for both companies."""
    xml = f'<?xml version="1.0"?><Invoice><Note a={quoteattr(found.text)}>{escape(found.text)}</Note></Invoice>'
    values: dict[str, Any] = {
        "adaptor": lambda: {
            "source_kind": "billy", "source_config": {"base_url": "http://127.0.0.1:1/v2"},
            "default_gateway_id": found.rows["gateway"], "default_format": "peppol-bis-3",
        },
        "gateway": lambda: {"kind": "sftp"},
        "document": lambda: {"pdf_sha256": archive.store(b"%PDF-1.7 " + found.text.encode())},
        "rendition": lambda: {"sha256": archive.store(xml.encode()), "media_type": "application/xml", "filename": "faktura.xml"},
        "watch": lambda: {"escalate_to": None},
        "api_token": lambda: {"public_id": new_id()[-12:]},
        "passkey": lambda: {"credential_id": new_id().encode(), "public_key": b"y"},
        "schedule": lambda: {"timing": everything._LIKE_REAL["schedule"]["timing"]},
        "approval_wait": lambda: {"document_id": found.rows["document"]},
    }.get(table, dict)()  # fmt: skip
    return values


def _add(model: type[Base], found: Tenant) -> None:
    mapped = inspect(model)
    table = mapped.local_table.name
    if table in _NOT_MADE:
        return
    # Rows that follow another one of their table follow none here.
    given: dict[str, Any] = {
        key.parent.key: None for key in mapped.local_table.foreign_keys if key.column.table is mapped.local_table
    }
    given |= _columns(model, found.text) | _FIXED.get(table, {}) | _own_values(table, found)
    if "grants" in mapped.columns:
        given |= {"creator_id": found.users["owner"], "grants": [{"to": "admins", "level": "manager"}]}
    for column in mapped.primary_key:
        if column.key != "id" and not column.foreign_keys:
            given.setdefault(column.key, everything._value(column.type, column.key))
    for column in mapped.columns:
        if isinstance(column.type, Enum) and column.key in given and column.type.enum_class:
            given[column.key] = column.type.enum_class(given[column.key])
    # An argument of ``make``, too.
    known = given.pop("known", None)
    row = make(model, found.rows, **given)
    if known is not None:
        row.known = known
    # A number of the database's own could be anybody's.
    if isinstance(getattr(row, "id", None), str):
        found.rows[table] = row.id


@dataclass
class House:
    """The installation with both companies."""

    app: Flask
    ours: Tenant
    theirs: Tenant
    redis: Any
    _file: Path

    def keep(self) -> None:
        """What ``fresh`` goes back to."""
        self._close()
        shutil.copyfile(self._file, self._file.with_suffix(".kept"))

    def fresh(self) -> None:
        """As nothing had been sent."""
        self._close()
        shutil.copyfile(self._file.with_suffix(".kept"), self._file)
        self.redis.flushall()

    def _close(self) -> None:
        db.session.remove()
        # The last connection writes the log into the file.
        db.engine.dispose()

    def rows(self) -> dict[str, list[tuple[Any, ...]]]:
        """The whole database."""
        found: dict[str, list[tuple[Any, ...]]] = {}
        with db.engine.connect() as connection:
            for table in db.metadata.sorted_tables:
                found[table.name] = sorted(connection.exec_driver_sql(f'SELECT * FROM "{table.name}"'), key=repr)
        return {name: [tuple(row) for row in rows] for name, rows in found.items()}


@contextmanager
def house(
    folder: Path,
    templates: BytecodeCache,
    ours: str = "Vores-Skovskade",
    theirs: str = "Fremmed-Zebrafinke",
    **more: Any,
) -> Iterator[House]:
    """An app with both companies, whose faults are pages with 500; with an app context."""
    config = config_of(folder, **more)
    engine = create_engine(config.database_url)
    db.metadata.create_all(engine)
    engine.dispose()
    app = create_app(config)
    app.jinja_env.bytecode_cache = templates
    # How many strangers it has noted this minute belongs to the process, in which other houses have stood.
    auditing._strangers = auditing._Strangers()
    app.config.update(SECURITY_PASSWORD_HASH="plaintext", SECURITY_PASSWORD_SINGLE_HASH=["plaintext", "argon2"])
    app.config["PROPAGATE_EXCEPTIONS"] = False
    app.before_request_funcs.setdefault(None, []).insert(0, _forget_last_request)
    redis = fakeredis.FakeStrictRedis(version=(7,))
    app.extensions["invoiceapp.bell"] = app.extensions["invoiceapp.redis"] = redis
    with app.app_context():

        def sign_in(user: User) -> FlaskClient:
            db.session.commit()
            return _sign_in(app, user)

        found = House(
            app, tenant(ours, sign_in, "ours"), tenant(theirs, sign_in, "theirs"), redis, folder / "attacked.sqlite3"
        )
        found.keep()
        yield found
        found._close()


class Attacker:
    """A signed-in person whose requests all carry the session that they began with."""

    def __init__(self, client: FlaskClient) -> None:
        self._client = client
        cookie = client.get_cookie("session")
        assert cookie is not None
        self._cookie = cookie.value

    def send(self, method: str, path: str, data: Any = None, **options: Any) -> TestResponse:
        """The answer, read whole; whatever it left open is closed."""
        self._client.set_cookie("session", self._cookie)
        answer = self._client.open(path, method=method, data=data, **options)
        answer.get_data()
        answer.close()
        db.session.rollback()
        return answer

    def token(self) -> str:
        """For forms; the session remembers it from now on."""
        page = self.send("GET", "/gateways").text
        cookie = self._client.get_cookie("session")
        assert cookie is not None
        self._cookie = cookie.value
        return page.split('name="csrf-token" content="')[1].split('"')[0]


def digest(rows: Mapping[str, Any]) -> str:
    """Of the whole database."""
    return hashlib.sha256(json.dumps(rows, default=repr, sort_keys=True).encode()).hexdigest()


#: Nothing of the company's; ending the session would only hide what follows.
SKIPPED = frozenset({"/logout", "/language"})


def is_for_people(house: House, endpoint: str) -> bool:
    """Whether it asks for a signed-in person."""
    policy = of_endpoint(house.app, endpoint)
    return policy is not None and policy.kind != "public" and not policy.is_for_tokens


def addresses(house: House, of: Tenant, *, names_rows: bool | None = None) -> list[tuple[str, str, str]]:
    """Method, endpoint and path of every rule × method, for the rows of one company."""
    found = []
    for rule in house.app.url_map.iter_rules():
        if names_rows is not None and names_rows != bool(rule.arguments & of.world.ids.keys()):
            continue
        methods = sorted((rule.methods or set()) - {"HEAD", "OPTIONS"})
        found += [(method, rule.endpoint, everything.address(rule, of.world)) for method in methods]
    return found


def all_forms(house: House, attacker: Attacker, of: Tenant) -> list[Form]:
    """Every form that the pages of a company offer to its owner, once."""
    found: dict[tuple[Any, ...], Form] = {}
    for method, endpoint, path in addresses(house, of):
        if method == "GET" and is_for_people(house, endpoint):
            for form in forms(attacker.send("GET", path)):
                if form.action.partition("?")[0] not in SKIPPED:
                    found.setdefault((form.action, *sorted({name for name, _value in form.fields})), form)
    return list(found.values())
