"""Secrets of people, of the installation and of what is connected to it: known ones are put into every field that there is,
and then everything that anybody could read is read. Gateways' forms have tests of their own (test_secret_canary).
"""

from __future__ import annotations

import base64
import hashlib
import json
import logging
import traceback
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from jinja2 import BytecodeCache
from support.mailing import received
from support.tenants import Attacker, House, addresses, house, is_for_people

from invoiceapp.config import IdentityProvider, MailServer
from invoiceapp.demo.partners.smtp_server import SmtpServer
from invoiceapp.gateways.base import registry
from invoiceapp.logs import OneLine
from invoiceapp.models import (
    Adaptor,
    ApiToken,
    Document,
    Gateway,
    Invitation,
    SigningKey,
    SignInSession,
    User,
    Webhook,
    db,
)
from invoiceapp.services import secrets
from invoiceapp.services.keeping import backup, readable
from invoiceapp.services.proof.evidence import pack
from invoiceapp.services.sign_in import second_factors

pytestmark = pytest.mark.server

CANARY = "kanariefugl-4711"


def _canary(what: str) -> str:
    return f"{CANARY}-{what}-0123456789abcdef"


#: Of the installation, with 32 bytes where a key is asked for.
_KEY = base64.b64encode(hashlib.sha256(b"canary").digest()).decode()
_SETTINGS: dict[str, Any] = {
    "secret_key": _canary("secret-key"), "password_salt": _canary("password-salt"), "encryption_keys": (f"k1:{_KEY}",),
    "mail": MailServer("127.0.0.1", 1, "none", "faktura@firma.example", username="firma", password=_canary("mail")),
    "metrics_token": _canary("metrics"), "tracing_headers": _canary("tracing"),
    "oidc": IdentityProvider("http://127.0.0.1:1", "client", _canary("oidc"), "Firma"),
}  # fmt: skip
_RECOVERY = "k7391-canar"


@dataclass
class Known:
    """What must be found nowhere, and everything that was heard."""

    secrets: dict[str, str] = field(default_factory=dict)
    heard: list[tuple[str, str]] = field(default_factory=list)

    def hear(self, where: str, said: Any) -> None:
        """Something that somebody could read."""
        self.heard.append((where, said if isinstance(said, str) else repr(said)))

    def told(self) -> list[str]:
        """Which secret was found where."""
        return [
            f"{name} in {where}"
            for where, said in self.heard
            for name, secret in self.secrets.items()
            if secret in said
        ]


def _fill_gateways(found: House, known: Known) -> None:
    for kind, transport in registry().items():
        row = Gateway(subscription_id=found.ours.subscription_id, name=f"Fuld {kind}", kind=kind, config={}, secrets={})
        db.session.add(row)
        db.session.flush()
        values: dict[str, Any] = {one.name: one.default for one in transport.fields} | {"host": "127.0.0.1", "port": 1}
        for one in transport.fields:
            if one.secret:
                values[one.name] = known.secrets[f"{kind}.{one.name}"] = _canary(f"{kind}-{one.name}")
        row.config, row.secrets = secrets.seal(transport.fields, values, {}, f"gateway/{row.id}")


def _fill(found: House) -> Known:
    """Every place where a secret is kept."""
    known = Known({"the encryption key": _KEY, "the recovery code": _RECOVERY})
    for name in ("secret_key", "password_salt", "metrics_token", "tracing_headers"):
        known.secrets[name] = _SETTINGS[name]
    known.secrets |= {"the mail password": _canary("mail"), "the OIDC secret": _canary("oidc")}
    _fill_gateways(found, known)
    adaptor = db.session.get_one(Adaptor, found.ours.rows["adaptor"])
    known.secrets["the source's token"] = _canary("source")
    adaptor.source_secrets = {"token": secrets.encrypt(_canary("source"), f"adaptor/{adaptor.id}/token")}
    hook = db.session.get_one(Webhook, found.ours.rows["webhook"])
    known.secrets["the webhook's key"] = _canary("webhook")
    hook.secrets = {"key": secrets.encrypt(_canary("webhook"), f"webhook/{hook.id}/key")}
    owner = db.session.get_one(User, found.ours.users["owner"])
    known.secrets |= {"the password": owner.password, "the uniquifier": owner.fs_uniquifier}
    known.secrets["the code app's key"] = _canary("totp")
    owner.tf_totp_secret = secrets.encrypt(_canary("totp"), secrets.totp_context(owner.id))
    owner.mf_recovery_codes = [second_factors._hash(_RECOVERY)]
    known.secrets["the recovery code's hash"] = owner.mf_recovery_codes[0]
    for model, column in ((ApiToken, "secret_hash"), (Invitation, "token_hash"), (SignInSession, "token_hash")):
        for row in db.session.query(model):
            known.secrets[f"{model.__name__}.{column} {row.id}"] = getattr(row, column)
    db.session.commit()
    return known


@pytest.fixture
def nest(
    tmp_path: Path, compiled_templates: BytecodeCache, caplog: pytest.LogCaptureFixture
) -> Iterator[tuple[House, Known]]:
    """A company whose every secret is known."""
    caplog.set_level(logging.DEBUG)
    with house(tmp_path, compiled_templates, **_SETTINGS) as found:
        yield found, _fill(found)


def _jobs(found: House) -> list[str]:
    return [str(found.redis.hgetall(key)) for key in found.redis.keys("rq:job:*")]


def test_known_secrets_are_on_no_page_in_no_log_and_in_no_job(
    nest: tuple[House, Known], caplog: pytest.LogCaptureFixture
) -> None:  # fmt: skip
    found, known = nest
    owner = Attacker(found.ours.owner)
    found.app.config["WTF_CSRF_ENABLED"] = False
    places = addresses(found, found.ours)
    gateways = [row.id for row in db.session.query(Gateway)]
    asked = [path for method, endpoint, path in places if method == "GET" and endpoint != "static"]
    asked += [f"/gateways/{row_id}" for row_id in gateways]
    for path in asked:
        answer = owner.send("GET", path)
        known.hear(path, answer.get_data().decode("utf-8", "replace") + str(answer.headers.to_wsgi_list()))
    posts = [
        path for method, _endpoint, path in places if method == "POST" and not path.startswith(("/logout", "/login"))
    ]
    for path in [*posts, *(f"/gateways/{row_id}/check" for row_id in gateways)]:
        answer = owner.send("POST", path, data={"name": ""})
        known.hear(f"POST {path}", answer.get_data().decode("utf-8", "replace"))
    as_text = OneLine("%(name)s %(message)s")
    known.hear("the log", "\n".join(as_text.format(record) for record in caplog.records))
    jobs = _jobs(found)
    known.hear("jobs", "\n".join(jobs))
    assert len(known.secrets) > 40 and len(known.heard) > 200 and jobs
    assert sum("Fuld sftp" in said for _where, said in known.heard) > 2, "these pages are read"
    assert not known.told()


def test_what_is_typed_into_a_form_for_secrets_is_told_nowhere(
    nest: tuple[House, Known], caplog: pytest.LogCaptureFixture
) -> None:  # fmt: skip
    """Passwords, tokens and codes as people type them, right or wrong; also in the audit trail and its exports."""
    found, known = nest
    found.app.config["WTF_CSRF_ENABLED"] = False
    owner, visitor = Attacker(found.ours.owner), found.app.test_client()
    typed = _canary("typed")
    known.secrets["what was typed"] = typed
    names = (
        "password", "new_password", "new_password_confirm", "password_again", "code", "token", "secret", "key", "text",
        "client_secret", "private_key", "passphrase", "csrf_token",
    )  # fmt: skip
    form = {**dict.fromkeys(names, typed), "email": "owner-ours@example.com", "base_url": "http://127.0.0.1:1/v2"}
    for method, endpoint, path in addresses(found, found.ours):
        if method == "POST" and path != "/logout":
            # A certificate's text is public; a page may show it again.
            data = {name: value for name, value in form.items() if name != "text"}
            known.hear(path, owner.send("POST", path, data=data).get_data().decode("utf-8", "replace"))
            if not is_for_people(found, endpoint):
                known.hear(path, visitor.post(path, data=data).get_data().decode("utf-8", "replace"))
    for path in ("/audit", "/audit/export.csv", "/audit/export.jsonl"):
        said = owner.send("GET", path).text
        assert "sign_in" in said or path == "/audit"
        known.hear(path, said)
    as_text = OneLine("%(name)s %(message)s")
    known.hear("the log", "\n".join(as_text.format(record) for record in caplog.records))
    known.hear("jobs", "\n".join(_jobs(found)))
    assert not known.told()


def test_links_that_open_an_account_are_in_one_mail_only_and_kept_nowhere(
    nest: tuple[House, Known], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:  # fmt: skip
    found, known = nest
    found.app.config["WTF_CSRF_ENABLED"] = False
    server = SmtpServer(tmp_path / "mails")
    try:
        config = found.app.extensions["invoiceapp.config"]
        object.__setattr__(config, "mail", MailServer("127.0.0.1", server.port, "none", "faktura@firma.example"))
        owner = Attacker(found.ours.owner)
        found.app.test_client().post("/reset", data={"email": "owner-ours@example.com"}).close()
        known.hear(
            "page", owner.send("POST", "/people/invitations", data={"email": "ny@example.dk", "role": "member"}).text
        )
        known.hear("page", owner.send("POST", "/account/email", data={"email": "skift@example.dk"}).text)
        mails = [mail.get_body(["plain"]).get_content() for mail in received(tmp_path / "mails")]
        tokens = [word.rpartition("/")[2] for mail in mails for word in mail.split() if "://localhost/" in word]
        tokens = [token for token in tokens if len(token) > 20]
        assert len(tokens) == 3
        for text in mails:
            known.hear("mails", "".join(word for word in text.split() if "://localhost/" not in word))
        known.secrets |= {f"token {number}": token for number, token in enumerate(tokens)}
        for path in ("/", "/people", "/audit", "/audit/export.jsonl", "/account/security"):
            known.hear(path, owner.send("GET", path).text)
        known.hear("database", json.dumps(found.rows(), default=repr))
        known.hear("the log", "\n".join(OneLine("%(message)s").format(record) for record in caplog.records))
        in_rows = {name for name in known.secrets if name.startswith("token")}
        assert not [one for one in known.told() if one.split(" in ")[0] in in_rows or not one.endswith("database")]
    finally:
        server.close()


def test_no_export_and_no_backup_has_a_secret(nest: tuple[House, Known], tmp_path: Path) -> None:
    found, known = nest
    runner = found.app.test_cli_runner()
    for command in (["config", "export"], ["config", "export", "--subscription", found.ours.subscription_id]):
        said = runner.invoke(args=command)
        known.hear(" ".join(command), said.output)
    target = tmp_path / "readable.zip"
    readable.write(target, readable.Choice(found.ours.subscription_id))
    evidence = tmp_path / "evidence.zip"
    pack.write(
        evidence, db.session.scalars(sa.select(Document.id).filter_by(subscription_id=found.ours.subscription_id)), "bo"
    )
    key = db.session.query(SigningKey).one()
    pem = secrets.decrypt(key.secrets["key"], f"signing_key/{key.id}/key")
    known.secrets |= {f"the signing key {number}": line for number, line in enumerate(pem.splitlines()[1:-1])}
    db.session.rollback()
    for written in (target, evidence):
        with zipfile.ZipFile(written) as opened:
            for name in opened.namelist():
                known.hear(name, opened.read(name).decode("utf-8", "replace"))
    assert any("/deliveries.json" in where for where, _said in known.heard)
    with db.engine.begin() as connection:
        connection.execute(sa.text("CREATE TABLE alembic_version (version_num VARCHAR(32) PRIMARY KEY)"))
        connection.execute(sa.text("INSERT INTO alembic_version VALUES ('0001')"))
    kept = tmp_path / "backup.sealed"
    backup.write(kept)
    known.hear("backup", kept.read_bytes().decode("latin-1"))
    assert len(known.heard) > 5
    assert not known.told()


def test_no_text_about_an_object_and_no_traceback_has_a_secret(nest: tuple[House, Known]) -> None:
    found, known = nest
    config = found.app.extensions["invoiceapp.config"]
    known.hear("config.mail", config.mail)
    known.hear("config.oidc", config.oidc)
    for model in (Adaptor, Gateway, User, Webhook, ApiToken, Invitation, SignInSession):
        for row in db.session.query(model):
            known.hear(model.__name__, f"{row!r} {row}")
    owner = Attacker(found.ours.owner)
    found.app.view_functions["runs.index"] = _broken(found.app.view_functions["runs.index"])
    known.hear("error page", owner.send("GET", "/runs").text)
    try:
        secrets.decrypt("k1:AAAA", "gateway/x/password")
    except Exception:
        known.hear("traceback", traceback.format_exc())
    assert not known.told()


def _broken(view: Any) -> Any:
    def fail(**_values: str) -> str:
        raise ZeroDivisionError("a fault of ours")

    fail.policy = view.policy  # type: ignore[attr-defined]
    return fail
