"""Old and new code side by side over one migration: while a new version is rolled out, nobody stops, and nothing is lost.

The database is migrated first, under workers of the version before. So each migration only adds what that version does not
mind; what it takes away, it takes a release after the last code that knew it.
"""

from __future__ import annotations

import ast
import io
import os
import subprocess
import sys
import tarfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date
from itertools import islice
from pathlib import Path

import fakeredis
import pytest
from alembic.script import ScriptDirectory
from flask import Flask
from flask_migrate import upgrade
from redis import Redis
from rq import Queue
from rq.serializers import JSONSerializer
from sqlalchemy import func, select
from support.rings import failed, rung
from support.valkey import Valkey

from chaos.behaviour import Mood
from chaos.ledger import Ledger, lines
from chaos.partners import Books, serve_web
from invoiceapp.config import MIGRATIONS, Config
from invoiceapp.current import bell_connection
from invoiceapp.demo.billy.company import demo_company
from invoiceapp.demo.billy.server import Server, serve
from invoiceapp.domain.delivery import ARRIVED
from invoiceapp.jobs.worker import AppWorker
from invoiceapp.models import Adaptor, Customer, Delivery, Subscription
from invoiceapp.processes import free_port
from invoiceapp.services import bell
from invoiceapp.services.configuration import customer_reading, gateways, rules, sources
from invoiceapp.services.database import reading, transaction
from invoiceapp.services.export import conversion, runs

from .test_versions import empty

__all__ = ["empty"]

#: Documents that Billy has, all good.
OF_EACH = 12
ROOT = Path(__file__).resolve().parents[2]
#: Versions up to this one were never rolled out under running workers.
BASELINE = "0023"
#: What does more than add, by version: why the code before it does not mind, or in which two releases it is done.
ON_PURPOSE: dict[str, str] = {}


def newer() -> list[tuple[str, Path]]:
    """Version and file of every migration after ``BASELINE``, the oldest first."""
    found = [(script.revision, Path(script.path)) for script in ScriptDirectory(str(MIGRATIONS)).walk_revisions()]
    return [one for one in found[::-1] if one[0] > BASELINE]


def more_than_adding(source: str) -> list[str]:
    """What a migration's way up does that the code before it may mind, line by line."""
    tree = ast.parse(source)
    functions = {
        node.name: node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name != "downgrade"
    }
    calls = [node for one in functions.values() for node in ast.walk(one) if isinstance(node, ast.Call)]
    made = {_text(call.args[0]) for call in calls if _operation(call) == "create_table"}
    return [
        f"line {call.lineno}: {_operation(call)}"
        for call in calls
        if _operation(call) and not _only_adds(_operation(call), call, made)
    ]


def _operation(call: ast.Call) -> str:
    """Its name where it is one of Alembic's, else nothing."""
    found = call.func
    if isinstance(found, ast.Attribute) and isinstance(found.value, ast.Name) and found.value.id in ("op", "batch"):
        return "" if found.attr == "f" else found.attr
    return ""


def _text(node: ast.expr) -> object:
    return node.value if isinstance(node, ast.Constant) else None


def _only_adds(operation: str, call: ast.Call, made: set[object]) -> bool:
    named = {keyword.arg: keyword.value for keyword in call.keywords}
    if operation == "add_column":
        [column] = [one for one in call.args if isinstance(one, ast.Call)]
        given = {keyword.arg: _text(keyword.value) for keyword in column.keywords}
        return given.get("nullable") is True or "server_default" in given
    if operation == "create_index" and "unique" in named:
        # Rows that the old code writes may break it, unless the old code does not know the table.
        return _text(call.args[1]) in made
    return operation in ("create_table", "create_index", "drop_index", "get_context")


@pytest.mark.parametrize(("version", "path"), newer(), ids=lambda value: str(value)[-30:])
def test_the_code_before_a_migration_works_on_after_it(version, path):
    found = more_than_adding(path.read_text(encoding="utf-8"))
    assert not found or version in ON_PURPOSE, f"{path.name}: {found}; see docs/decisions/0042-many-hosts.md"


def test_every_reason_belongs_to_a_migration_that_needs_it():
    needed = {version for version, path in newer() if more_than_adding(path.read_text(encoding="utf-8"))}
    assert set(ON_PURPOSE) == needed and all(ON_PURPOSE.values())


@pytest.mark.parametrize(
    "step",
    [
        'op.drop_column("document", "number")', 'op.drop_table("document")', 'op.execute("UPDATE document SET stage = 1")',
        'op.alter_column("document", "number", nullable=False)', 'op.rename_table("document", "paper")',
        'op.add_column("document", sa.Column("colour", sa.String(), nullable=False))',
        'op.add_column("document", sa.Column("colour", sa.String()))', 'op.get_bind().exec_driver_sql("DELETE FROM document")',
        'op.create_index("ix", "document", ["number"], unique=True)', 'op.create_unique_constraint("uq", "document", ["number"])',
    ],
)  # fmt: skip
def test_what_takes_away_or_forbids_is_seen(step):
    assert more_than_adding(f"def upgrade():\n    helper()\ndef helper():\n    {step}\n")
    assert not more_than_adding(f"def upgrade():\n    pass\ndef downgrade():\n    {step}\n")


@pytest.mark.parametrize(
    "step",
    [
        'op.add_column("document", sa.Column("colour", sa.String(), nullable=True))',
        'op.add_column("document", sa.Column("colour", sa.String(), nullable=False, server_default="red"))',
        'op.create_index(op.f("ix"), "document", ["number"])', 'op.drop_index("ix", "document")',
        'op.get_context().autocommit_block()', 'op.create_table("paper", sa.Column("id", sa.String(), nullable=False)); op.create_index("ix", "paper", ["id"], unique=True)',
    ],
)  # fmt: skip
def test_what_adds_is_allowed(step):
    assert not more_than_adding(f"def upgrade():\n    {step}\n")


class TestRings:
    """What one version rings for, and the other hears."""

    @pytest.fixture
    def has_pages(self) -> bool:
        return False

    @pytest.fixture
    def fake(self, app: Flask) -> fakeredis.FakeStrictRedis:
        app.extensions["invoiceapp.bell"] = connection = fakeredis.FakeStrictRedis(version=(7,))
        return connection

    def test_what_old_code_rings_for_is_done_by_new_workers(self, fake, monkeypatch):
        """It knew one queue for all kinds of work, beside the clock's."""
        heard: list[str] = []
        monkeypatch.setattr(conversion, "convert_due", lambda: heard.append("convert"))
        Queue("work", connection=fake, serializer=JSONSerializer).enqueue(f"{bell.TASKS}.convert")
        AppWorker.serving([kind for kind in bell.Kind if kind is not bell.Kind.TICK], fake).take_turns(burst=True)
        assert heard == ["convert"] and bell.Kind.TICK == "tick"

    def test_a_task_that_an_old_worker_does_not_know_fails_alone_and_can_be_rung_for_again(self, fake, monkeypatch):
        heard: list[str] = []
        monkeypatch.setattr(conversion, "convert_due", lambda: heard.append("convert"))
        worker = AppWorker.serving(bell.Kind, fake)
        for round_ in (1, 2):
            assert bell.ring("task_of_next_year", "01A") and bell.ring("convert")
            worker.take_turns(burst=True)
            assert heard == ["convert"] * round_, "what waits behind it is done"
            assert failed() == round_ and rung() == [], "it is kept where people look, and blocks no further ring"


def older_code(folder: Path) -> Path:
    """The tree of the last commit at ``BASELINE``; skips the test where the history does not have it."""
    first = newer()[0][1].relative_to(ROOT).as_posix()

    def git(*arguments: str) -> bytes:
        found = subprocess.run(["git", "-C", str(ROOT), *arguments], capture_output=True, check=False)
        return found.stdout if found.returncode == 0 else b""

    added = git("log", "--diff-filter=A", "--format=%H", "-1", "--", first).decode().strip()
    packed = git("archive", f"{added}^") if added else b""
    if packed:
        with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
            archive.extractall(folder, filter="data")
    if not list(folder.glob(f"migrations/versions/{BASELINE}_*")):
        pytest.skip(f"the history here does not have the last commit at {BASELINE}")
    assert not (folder / first).exists()
    return folder


class Willing(Mood):
    """A partner that takes everything."""

    def act(self, partner, key, times):
        return type(super().act(partner, key, times)).TAKE


@pytest.fixture
def valkey(config: Config, tmp_path: Path) -> Iterator[Redis]:
    server = Valkey(config.redis_url, tmp_path)
    server.start()
    with Redis.from_url(config.redis_url) as connection:
        yield connection
    server.stop()


@pytest.fixture
def migrated(empty: Flask) -> Flask:
    upgrade()
    return empty


@pytest.fixture
def billy() -> Iterator[Server]:
    company = demo_company(date(2026, 11, 22))
    invoices = dict(islice(company.tables["invoices"].items(), OF_EACH))
    rows = {key: line for key, line in company.tables["invoiceLines"].items() if line["invoiceId"] in invoices}
    few = company.tables | {"invoices": invoices, "invoiceLines": rows}
    with serve("127.0.0.1", 0, replace(company, tables=few)) as server:
        yield server


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    return tmp_path / "ledger.jsonl"


@pytest.fixture
def new_adaptor(migrated: Flask, billy: Server, ledger: Path, tmp_path: Path) -> Callable[[], str]:
    """``new_adaptor()``: of a company of its own with twelve documents, all for one partner; its id."""
    port = free_port()
    serve_web(Books(Willing(1, tmp_path), Ledger(ledger)), "http-keyed", port)
    form = {"url": f"http://127.0.0.1:{port}/ind", "recognises": "yes", "method": "POST", "body": "raw", "auth": "none"}

    def make() -> str:
        with transaction() as session:
            subscription = Subscription(name="Eksempel ApS")
            session.add(subscription)
            session.flush()
            adaptor = Adaptor(
                subscription_id=subscription.id, name="Billy", source_kind="billy", source_config={}, settings={}
            )
            session.add(adaptor)
            session.flush()
            owner, works = subscription.id, adaptor.id
        gateway = gateways.save(owner, "http", "Kunde", form)
        sources.connect(works, {"token": "demo-token", "base_url": billy.url})
        customer_reading.refresh_customers(works)
        with reading() as session:
            ids = list(session.scalars(select(Customer.id).where(Customer.adaptor_id == works)))
        rules.activate(works, ids, "peppol-bis-3", gateway.id)
        return works

    return make


@pytest.fixture
def worker(config: Config, tmp_path: Path) -> Iterator[Callable[[Path], subprocess.Popen[bytes]]]:
    """``worker(tree)``: the worker process of the code in ``tree``, over the database and the Valkey of this test."""
    started: list[subprocess.Popen[bytes]] = []
    own = {
        "APP_ENV": "local", "DATABASE_URL": config.database_url, "REDIS_URL": config.redis_url, "DEMO": "0",
        "INSTANCE_DIR": str(config.instance_dir), "ARCHIVE_DIR": str(config.archive_dir), "RULES_DIR": str(config.rules_dir),
        "ENCRYPTION_KEYS": ",".join(config.encryption_keys),
    }  # fmt: skip

    def start(tree: Path) -> subprocess.Popen[bytes]:
        environment = {name: value for name, value in os.environ.items() if not name.endswith("_URL")}
        with (tmp_path / "worker.log").open("ab") as log:
            started.append(subprocess.Popen(
                [sys.executable, "-m", "invoiceapp.jobs.worker"], cwd=tree, stdout=log, stderr=log,
                env=environment | own | {"PYTHONPATH": str(tree)},
            ))  # fmt: skip
        return started[-1]

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
        process.wait(timeout=15)


def export(adaptor_id: str, by_old_pages: bool = False) -> None:
    """Read, convert and deliver all there is; rings as the clock does until all have arrived."""
    run = runs.start(adaptor_id, trigger="manual")
    if by_old_pages:
        # They ring in the one queue that old workers know.
        bell.heard("execute_run", [run.id])
        Queue("work", connection=bell_connection(), serializer=JSONSerializer).enqueue(
            f"{bell.TASKS}.execute_run", run.id
        )
    found = select(func.count()).where(Delivery.adaptor_id == adaptor_id, Delivery.state.in_(ARRIVED))
    deadline = time.monotonic() + 90
    arrived = 0
    while arrived < OF_EACH:
        assert time.monotonic() < deadline, f"{arrived} have arrived"
        if bell.queue(bell.Kind.TICK).is_empty():
            bell.queue(bell.Kind.TICK).enqueue(f"{bell.TASKS}.tick", result_ttl=60)
        time.sleep(0.2)
        with reading() as session:
            arrived = session.scalar(found) or 0


@pytest.mark.server
@pytest.mark.crash
def test_workers_of_both_versions_serve_one_database(migrated, valkey, worker, new_adaptor, ledger, tmp_path):
    old_tree = older_code(tmp_path / "old")
    old = worker(old_tree)
    export(new_adaptor(), by_old_pages=True)
    new = worker(ROOT)
    export(new_adaptor())
    export(new_adaptor())
    old.terminate()
    assert old.wait(timeout=60) == 0
    export(new_adaptor())
    new.terminate()
    assert new.wait(timeout=60) == 0
    taken = Counter(line.key for line in lines(ledger))
    assert len(taken) == 4 * OF_EACH and set(taken.values()) == {1}
