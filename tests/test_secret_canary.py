"""A secret that is saved appears nowhere again: not in pages, logs, jobs, exports, tracebacks or texts about objects."""

from __future__ import annotations

import logging
import re
import traceback
from collections.abc import Callable, Iterator
from typing import Any

import fakeredis
import pytest
from flask import Flask
from flask.testing import FlaskClient

from invoiceapp.domain.fields import Field, FieldType
from invoiceapp.gateways.base import registry
from invoiceapp.models import Event, Gateway, db
from invoiceapp.services import secrets
from invoiceapp.services.configuration import as_code, gateways, samples

pytestmark = pytest.mark.server

CANARY = "kanariefugl7391"
#: A port of this machine on which nothing listens.
CLOSED = "127.0.0.1"
VALUES = {
    FieldType.URL: f"https://{CLOSED}:8443/",
    FieldType.EMAIL: "firma@example.com",
    FieldType.GLN: "5798000000001",
    FieldType.DATE: "2026-12-01",
}

Walk = Callable[[], Iterator[str]]


def form_of(fields: tuple[Field, ...]) -> dict[str, str]:
    """What a person would type, with the canary in each secret."""
    typed = {field.name: str(field.default) for field in fields if field.default is not None}
    for field in fields:
        if field.secret:
            typed[field.name] = f"{CANARY}-{field.name}"
        elif field.name == "host":
            typed[field.name] = CLOSED
        elif field.type in VALUES and (field.required or field.type is FieldType.URL):
            typed[field.name] = VALUES[field.type]
        elif field.required and field.default is None:
            typed[field.name] = "firma"
        if field.type is FieldType.BOOLEAN:
            typed[field.name] = "true" if field.default else "false"
    return typed


def sample_of(row: Gateway) -> dict[str, str]:
    """A sample that somebody asks for; where none is possible they are told so."""
    offered = samples.formats_of(row)
    return {"format": offered[0].id if offered else "", "address": "ida@example.com", "confirm": "1"}


class Ears:
    """What everybody but the encrypted columns could read."""

    def __init__(self, app: Flask, client: FlaskClient, caplog: pytest.LogCaptureFixture) -> None:
        self.redis = fakeredis.FakeStrictRedis(version=(7,))
        app.extensions["invoiceapp.bell"] = self.redis
        self.client, self.caplog, self.heard = client, caplog, [""]
        page = client.get("/gateways").text
        found = re.search(r'name="csrf-token" content="([^"]+)"', page)
        assert found
        self.token = found[1]

    def get(self, path: str) -> None:
        self._listen(lambda: self.client.get(path))

    def post(self, path: str, form: dict[str, str]) -> None:
        self._listen(lambda: self.client.post(path, data={"csrf_token": self.token, **form}))

    def _listen(self, ask: Callable[[], Any]) -> None:
        try:
            answer = ask()
        except Exception:
            # In a test the fault of a transport comes through; a traceback is what the log of a server would have.
            self.heard.append(traceback.format_exc())
        else:
            self.heard += [answer.text, str(answer.headers)]

    def everything(self) -> str:
        jobs = [str(self.redis.hgetall(key)) for key in self.redis.keys("rq:job:*")]
        events = [str(event.data) for event in db.session.query(Event)]
        return "\n".join([*self.heard, self.caplog.text, *jobs, *events])


@pytest.fixture
def ears(app: Flask, signed_in: FlaskClient, caplog: pytest.LogCaptureFixture) -> Ears:
    caplog.set_level(logging.DEBUG)
    return Ears(app, signed_in, caplog)


@pytest.fixture
def full(subscription: Any) -> Callable[[str], Gateway]:
    """``full(kind)``: a gateway with the canary in every secret that its kind has, whichever the page would take."""

    def make(kind: str) -> Gateway:
        fields = registry()[kind].fields
        typed = form_of(fields)
        values = {field.name: typed.get(field.name) for field in fields} | {"port": 1}
        row = Gateway(subscription_id=subscription.id, name=f"Fuld {kind}", kind=kind, config={}, secrets={})
        db.session.add(row)
        db.session.flush()
        row.config, row.secrets = secrets.seal(fields, values, {}, f"gateway/{row.id}")
        db.session.commit()
        assert secrets.unseal({}, row.secrets, f"gateway/{row.id}") == {
            field.name: f"{CANARY}-{field.name}" for field in fields if field.secret
        }
        return row

    return make


@pytest.mark.parametrize("kind", sorted(registry()))
def test_a_secret_that_is_typed_does_not_come_back(ears: Ears, kind: str) -> None:
    form = {"name": "Ny", **form_of(registry()[kind].fields)}
    ears.post(f"/gateways/new/{kind}", form)
    # Refused, and so shown again.
    ears.post(f"/gateways/new/{kind}", {**form, "name": ""})
    for row in db.session.query(Gateway):
        assert CANARY not in str(row.config) + str(row.secrets)
        ears.get(f"/gateways/{row.id}")
        ears.post(f"/gateways/{row.id}", {**form, "name": ""})
    assert len(ears.heard) > 4
    assert CANARY not in ears.everything()


@pytest.mark.parametrize("kind", sorted(registry()))
def test_a_stored_secret_appears_on_no_page_and_in_no_log(ears: Ears, full: Any, kind: str) -> None:
    row = full(kind)
    ears.get("/gateways")
    ears.get(f"/gateways/{row.id}")
    ears.post(f"/gateways/{row.id}/check", {})
    ears.get(f"/gateways/{row.id}/sample")
    ears.post(f"/gateways/{row.id}/sample", sample_of(row))
    ears.get(f"/gateways/{row.id}/resend")
    ears.post(f"/gateways/{row.id}/pause", {"reason": "Prøve"})
    ears.post(f"/gateways/{row.id}/resume", {})
    ears.get("/gateways/expiries")
    ears.get(f"/gateways/{row.id}/delete")
    ears.get("/")
    assert f"Fuld {kind}" in ears.everything()
    assert CANARY not in ears.everything()
    assert ears.redis.keys("rq:job:*")


@pytest.mark.parametrize("kind", sorted(registry()))
def test_a_stored_secret_is_in_no_export_and_in_no_text_about_an_object(full: Any, kind: str) -> None:
    row = full(kind)
    exported = as_code.export()
    assert f"Fuld {kind}" in exported
    with gateways.open_transport(row) as transport:
        assert CANARY not in exported + repr(row) + str(row) + repr(transport) + str(transport)


@pytest.mark.parametrize("kind", sorted(registry()))
def test_a_traceback_has_no_secret(ears: Ears, full: Any, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    row = full(kind)

    def broken(*_: object) -> None:
        raise ZeroDivisionError("a fault of ours")

    monkeypatch.setattr(registry()[kind], "__init__", broken)
    ears.post(f"/gateways/{row.id}/check", {})
    ears.post(f"/gateways/{row.id}/sample", sample_of(row))
    assert "a fault of ours" in ears.everything()
    assert CANARY not in ears.everything()
