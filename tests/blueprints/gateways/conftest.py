"""A partner that does what a test says."""

from __future__ import annotations

from typing import ClassVar

import pytest

from invoiceapp.domain.delivery import Replay
from invoiceapp.domain.fields import Field, FieldType
from invoiceapp.domain.findings import Text
from invoiceapp.gateways.base import CheckStep, Consignment, Receipt, Transport, registry
from invoiceapp.models import Gateway, User, db

_ACCESS = Text("Adgang", "Access")


class Partner(Transport):
    """A transport without a wire, with a field of every kind that the form has a way of its own for."""

    kind: ClassVar[str] = "fake"
    label: ClassVar[Text] = Text("Prøve", "Fake")
    description: ClassVar[Text] = Text("Til prøver.", "For tests.")
    fields: ClassVar[tuple[Field, ...]] = (
        Field("url", Text("Adresse", "Address"), FieldType.URL, required=True),
        Field("auth", Text("Login", "Login"), FieldType.CHOICE, default="none", group=_ACCESS,
              choices=(("none", Text("Intet", "None")), ("basic", Text("Kode", "Password")))),
        Field("password", Text("Adgangskode", "Password"), secret=True, required=True, group=_ACCESS,
              only_when=("auth", ("basic",))),
        Field("certificate", Text("Certifikat", "Certificate"), FieldType.MULTILINE),
        Field("switch_on", Text("Skift den", "Switch on"), FieldType.DATE),
    )  # fmt: skip

    sent: ClassVar[list[Consignment]] = []
    outcome: ClassVar[Receipt | Exception] = Receipt("prøve.xml", {"size": 7}, proves_arrival=True)

    @property
    def replay(self) -> Replay:
        return Replay.SAFE

    def wire_ids(self, consignment: Consignment) -> dict[str, str]:
        return {"name": consignment.key}

    def check(self) -> list[CheckStep]:
        return []

    def send(self, consignment: Consignment) -> Receipt:
        self.sent.append(consignment)
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome


@pytest.fixture
def partner(monkeypatch: pytest.MonkeyPatch, gateway: Gateway) -> type[Partner]:
    """Behind the usual gateway."""
    monkeypatch.setattr(Partner, "sent", [])
    monkeypatch.setitem(registry(), "fake", Partner)
    gateway.kind, gateway.config = "fake", {"url": "https://partner.example/", "auth": "none"}
    db.session.commit()
    return Partner


@pytest.fixture(autouse=True)
def english(user: User) -> None:
    """Tests read the msgids, whatever translations are compiled."""
    user.language = "en"
    db.session.commit()
