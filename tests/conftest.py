"""Fixtures for everybody: an app on a fresh database, people who are signed in, and factories for rows.

``--database=sqlite`` (default) or ``postgresql``; the latter starts a private
cluster (tests/support/postgres.py).
"""

from __future__ import annotations

import base64
import os
import re
import shutil
import socket
import sys
from collections.abc import Callable, Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from flask import Flask, g
from flask.testing import FlaskClient
from jinja2 import BytecodeCache
from pytest_socket import disable_socket, enable_socket, socket_allow_hosts

sys.path.insert(0, str(Path(__file__).parent))

from sqlalchemy import create_engine
from support.compiled import compiled_addresses, compiled_rules, compiled_statements, compiled_templates  # noqa: F401
from support.postgres import PostgresCluster

from invoiceapp import auditing, create_app, logs
from invoiceapp.config import Config
from invoiceapp.domain.delivery import DeliveryState
from invoiceapp.domain.invoice import DocumentType
from invoiceapp.domain.schedules import Kind, Timing
from invoiceapp.models import (
    Adaptor,
    Customer,
    Delivery,
    Document,
    ExportRule,
    Gateway,
    Membership,
    Role,
    Schedule,
    SignInKind,
    Stage,
    Subscription,
    User,
    Watch,
    db,
    new_id,
    utcnow,
)
from invoiceapp.outbound.guard import networks
from invoiceapp.services.reach.silence import SILENCE
from invoiceapp.services.sign_in import sessions

PASSWORD = "correct-horse-battery"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--database", default="sqlite", choices=("sqlite", "postgresql"))
    parser.addoption("--update-screens", action="store_true", help="Write docs/screens anew.")
    parser.addoption("--update-golden", action="store_true", help="Write golden files anew instead of comparing.")
    parser.addoption("--full-matrix", action="store_true", help="Every crash point of every transport.")


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Unit tests reach no network at all; the others reach this machine only."""
    if item.get_closest_marker("server") or item.get_closest_marker("browser") or item.get_closest_marker("crash"):
        enable_socket()
        socket_allow_hosts(["127.0.0.1", "::1", "localhost"], allow_unix_socket=True)
    elif item.config.getoption("--database") == "postgresql":
        enable_socket()
        socket_allow_hosts(["127.0.0.1"], allow_unix_socket=True)
    else:
        disable_socket(allow_unix_socket=True)


@pytest.fixture(scope="session", autouse=True)
def names_of_this_machine() -> Iterator[None]:
    """A name out there is not even looked up: a question to a name server leaves this machine, too."""
    ask = socket.getaddrinfo

    def here_only(host: Any, *arguments: Any, **options: Any) -> Any:
        text = host.decode() if isinstance(host, bytes) else host
        if text and text != "localhost" and not re.fullmatch(r"[0-9.]+|[0-9a-fA-F:.]*:[0-9a-fA-F:.%]*", text):
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return ask(host, *arguments, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket, "getaddrinfo", here_only)
        yield


@pytest.fixture(scope="session")
def postgres(request: pytest.FixtureRequest) -> Iterator[PostgresCluster | None]:
    """A private PostgreSQL, only where the run asks for it."""
    if request.config.getoption("--database") != "postgresql":
        yield None
        return
    with PostgresCluster() as cluster:
        yield cluster


@pytest.fixture(scope="session")
def all_tables(postgres: PostgresCluster | None, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A database with all tables and nothing in them, to be copied: making them takes longer than most tests."""
    path = tmp_path_factory.mktemp("tables") / "all.sqlite3"
    url = postgres.new_database() if postgres else f"sqlite:///{path}"
    engine = create_engine(url)
    db.metadata.create_all(engine)
    engine.dispose()
    return engine.url.database or ""


@pytest.fixture
def database_url(tmp_path: Path, postgres: PostgresCluster | None, request: pytest.FixtureRequest) -> Iterator[str]:
    """Of a database of this test's own: with all tables where the test has an ``app``, else empty."""
    has_tables = "app" in request.fixturenames
    if postgres and has_tables:
        with postgres.lent_database(request.getfixturevalue("all_tables")) as url:
            yield url
        return
    if postgres:
        yield postgres.new_database()
        return
    path = tmp_path / "test.sqlite3"
    if has_tables:
        shutil.copyfile(request.getfixturevalue("all_tables"), path)
    yield f"sqlite:///{path}"


@pytest.fixture
def has_pages() -> bool:
    """Whether ``app`` has its pages: registering them takes most of its time."""
    return True


@pytest.fixture
def config(tmp_path: Path, database_url: str) -> Config:
    """Settings that name nothing outside this test."""
    return Config(
        production=False,
        secret_key="s" * 20 + "ecret-for-tests-only",
        password_salt="salt-for-tests-only-1234567890",
        encryption_keys=("k1:" + base64.b64encode(bytes(range(32))).decode(),),
        database_url=database_url,
        redis_url=f"unix://{tmp_path / 'no-redis.sock'}",
        instance_dir=tmp_path / "instance",
        archive_dir=tmp_path / "archive",
        rules_dir=Path(os.environ.get("TEST_RULES_DIR", tmp_path / "rules")),
        base_url="http://localhost",
        trusted_hosts=("localhost", "127.0.0.1"),
        proxies=0,
        require_official_rules=False,
        demo=False,
        testing=True,
        outbound_networks=networks(["127.0.0.0/8", "::1"]),
        secrets_dir=tmp_path / "secrets",
    )


def _forget_last_request() -> None:
    """The app context of a test lasts; without this, whoever asked first would be taken for whoever asks next."""
    for name in list(g):
        g.pop(name)


@pytest.fixture
def app(config: Config, has_pages: bool, compiled_templates: BytecodeCache) -> Iterator[Flask]:  # noqa: F811
    """The app on an empty database; an app context is pushed."""
    app = create_app(config, pages=has_pages)
    app.jinja_env.bytecode_cache = compiled_templates
    SILENCE.forget()
    auditing._strangers = auditing._Strangers()
    # The request of an earlier test is not what this one works on.
    logs.begin()
    # 64 MiB of argon2 for each sign-in would be most of the suite's time.
    app.config.update(SECURITY_PASSWORD_HASH="plaintext", SECURITY_PASSWORD_SINGLE_HASH=["plaintext", "argon2"])
    app.before_request_funcs.setdefault(None, []).insert(0, _forget_last_request)
    with app.app_context():
        yield app
        db.session.remove()
        db.engine.dispose()


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """Not signed in. CSRF is on: take the token from a page, or use ``post`` of support.web."""
    return app.test_client()


def _subscription(name: str) -> Subscription:
    row = Subscription(name=name)
    db.session.add(row)
    db.session.commit()
    return row


def _user(subscription: Subscription, email: str, role: Role) -> User:
    row = User(email=email, name=email.split("@")[0], password=PASSWORD, active=True, fs_uniquifier=new_id())
    db.session.add(row)
    db.session.flush()
    db.session.add(Membership(subscription_id=subscription.id, user_id=row.id, role=role))
    db.session.commit()
    return row


@pytest.fixture
def subscription(app: Flask) -> Subscription:
    return _subscription("Eksempel ApS")


@pytest.fixture
def user(subscription: Subscription) -> User:
    return _user(subscription, "ejer@example.com", Role.OWNER)


def _sign_in(app: Flask, user: User) -> FlaskClient:
    client = app.test_client()
    with client.session_transaction() as session:
        session["_user_id"] = user.fs_uniquifier
        session["_fresh"] = True
        session["fs_cc"] = "set"
        session["fs_paa"] = utcnow().timestamp()
        session["identity.auth_type"] = "session"
        session["sign_in"] = sessions.begin(user.id, SignInKind.PASSWORD, "127.0.0.1", "test")
    return client


@pytest.fixture
def signed_in(app: Flask, user: User) -> FlaskClient:
    """A client signed in as the subscription's owner."""
    return _sign_in(app, user)


@pytest.fixture
def member(app: Flask, subscription: Subscription) -> FlaskClient:
    """A client signed in as a plain member of the same subscription."""
    return _sign_in(app, _user(subscription, "medarbejder@example.com", Role.MEMBER))


@pytest.fixture
def stranger(app: Flask) -> FlaskClient:
    """A client signed in as the owner of another subscription."""
    return _sign_in(app, _user(_subscription("Fremmed A/S"), "fremmed@example.com", Role.OWNER))


@pytest.fixture
def adaptor(subscription: Subscription) -> Adaptor:
    row = Adaptor(
        subscription_id=subscription.id, name="Billy", source_kind="billy",
        source_config={"base_url": "http://127.0.0.1:1/v2"}, settings={},
        organization={"id": "org", "name": "Eksempel ApS", "registration_no": "12345674"},
    )  # fmt: skip
    db.session.add(row)
    db.session.flush()
    db.session.add(Watch(adaptor_id=row.id, subscription_id=subscription.id, alarms_at=utcnow()))
    db.session.commit()
    return row


@pytest.fixture
def gateway(subscription: Subscription) -> Gateway:
    row = Gateway(
        subscription_id=subscription.id, name="SFTP", kind="sftp",
        config={"host": "127.0.0.1", "port": 1, "username": "u", "folder": ".", "filename": "{type}_{number}_{key8}"},
        secrets={}, expiries_at=utcnow(),
    )  # fmt: skip
    db.session.add(row)
    db.session.commit()
    return row


@pytest.fixture
def make_customer(adaptor: Adaptor, gateway: Gateway) -> Callable[..., Customer]:
    """``make_customer(name, active=True, format="peppol-bis-3", **columns)``."""

    def make(
        name: str = "Kommune Eksempel", *, active: bool | None = True, format: str = "peppol-bis-3", **columns: Any
    ) -> Customer:
        values = {"source_id": new_id(), "country": "DK", "gln": "5798000000001", **columns}
        row = Customer(subscription_id=adaptor.subscription_id, adaptor_id=adaptor.id, name=name, raw={}, **values)
        db.session.add(row)
        db.session.flush()
        if active is not None:
            db.session.add(
                ExportRule(
                    subscription_id=adaptor.subscription_id, adaptor_id=adaptor.id, customer_id=row.id, active=active,
                    format=format, gateway_id=gateway.id, settings={},
                )
            )  # fmt: skip
        db.session.commit()
        return row

    return make


@pytest.fixture
def make_document(adaptor: Adaptor) -> Callable[..., Document]:
    """``make_document(customer, number="1001", stage=Stage.CONVERTED, bundle={}, **columns)``."""

    def make(customer: Customer, number: str = "1001", **columns: Any) -> Document:
        values = {
            "source_id": new_id(), "type": DocumentType.INVOICE, "issue_date": date(2026, 11, 2), "currency": "DKK",
            "net": Decimal("100.00"), "vat": Decimal("25.00"), "bundle": {}, "bundle_sha256": "0" * 64,
            "stage": Stage.CONVERTED, **columns,
        }  # fmt: skip
        row = Document(
            subscription_id=adaptor.subscription_id, adaptor_id=adaptor.id, customer_id=customer.id,
            customer_source_id=customer.source_id, customer_name=customer.name, number=number, **values,
        )  # fmt: skip
        db.session.add(row)
        db.session.commit()
        return row

    return make


@pytest.fixture
def make_schedule(adaptor: Adaptor) -> Callable[..., Schedule]:
    """``make_schedule(timing, next_at=now, **columns)``; ``timing`` every 15 minutes unless it is given."""

    def make(timing: Timing | None = None, *, of: Adaptor | None = None, **columns: Any) -> Schedule:
        owner = of or adaptor
        values = {"next_at": utcnow(), "anchor_at": utcnow(), **columns}
        row = Schedule(
            subscription_id=owner.subscription_id, adaptor_id=owner.id,
            timing=(timing or Timing(Kind.INTERVAL, minutes=15)).to_json(), **values,
        )  # fmt: skip
        db.session.add(row)
        db.session.commit()
        return row

    return make


@pytest.fixture
def make_delivery(adaptor: Adaptor, gateway: Gateway) -> Callable[..., Delivery]:
    """``make_delivery(document, state=DeliveryState.PENDING, **columns)``."""

    def make(document: Document, state: DeliveryState = DeliveryState.PENDING, **columns: Any) -> Delivery:
        values = {
            "format": "peppol-bis-3",
            "transport": gateway.kind,
            "next_at": utcnow(),
            "idem_key": new_id().lower(),
            **columns,
        }
        row = Delivery(
            subscription_id=adaptor.subscription_id, adaptor_id=adaptor.id, document_id=document.id,
            gateway_id=gateway.id, state=state, findings=values.pop("findings", []), **values,
        )  # fmt: skip
        db.session.add(row)
        db.session.commit()
        return row

    return make
