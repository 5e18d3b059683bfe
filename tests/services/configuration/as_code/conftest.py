"""Configurations with everything in them: every declared setting, every kind of gateway, every option of every format."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from support.certified import certificate, key, key_pem, pem

from invoiceapp.config import Config
from invoiceapp.domain.fields import Field, FieldInvalid, FieldType, parse
from invoiceapp.domain.findings import Text
from invoiceapp.domain.identifiers import Participant
from invoiceapp.formats.base import registry as formats
from invoiceapp.gateways.base import Transport, registry
from invoiceapp.models import (
    Adaptor,
    Customer,
    Environment,
    ExportRule,
    Gateway,
    NewCustomers,
    Subscription,
    db,
    new_id,
    utcnow,
)
from invoiceapp.services import secrets
from invoiceapp.services.configuration.as_code.values import groups
from invoiceapp.services.configuration.settings import applied, place
from invoiceapp.services.daily import schedule_input, schedules

#: What YAML readers take for something else, and what terminals and files take badly.
HARD_TEXTS = (
    "no", "0088", "0x1F", "1e3", "2026-11-01", "null", "~", "- a", "a: b", "#1", "'", '"', "\\n", "{x}", "[x]", "& *a !!b %", "@",
    "Æblegrød & Rødgrød ApS", "עברית", "🧾👩‍👩‍👧", "‮baglæns", "\u2028linje", "ﬁ", "a\u0301", "x" * 300, "<script>alert(1)</script>",
)  # fmt: skip
HARD_LINES = ("Til {receiver}\n\n  indrykket: ja\n# nej\n---\n\nHilsen\n🧾", "a\n \nb", "a\tb\nc", "én\r\nto")
#: What fields take that take little else: names, addresses of folders, header names.
PLAIN_TEXTS = ("firma", "007", "/ind", "X-Key", "https://partner.example/in")
#: Values of fields with a form, by what they are called.
FORMED = {
    "unspsc": "44121600", "country": "DK", "deliveryCountry": "SE", "vatNumber": "DK12345674", "cardNumber": "012345",
    "bankRegistration": "0400", "bankAccount": "0004440001", "bic": "DABADKKK", "fikCreditor": "01234567",
    "giroAccount": "0123456", "payeeCvr": "12345674", "senderGln": "5798000000001", "receiverGln": "5798000000001",
    "invoiceeGln": "5798000000001", "recipientReference": "0007", "host": "2001:db8::1", "host_key": "SHA256:" + "a" * 43,
    "folder": "/ind/æ ø", "filename": "{type}.{number}_{key8}", "subject": "Nr. {number}: »{type}«", "body": HARD_LINES[0],
    "base_url": "https://billy.example/v2", "headers": "X-Nr: 007\nno: ~", "form_fields": "a: b=#1\nno=æ ø",
    "success": "200-204,409", "answer_pointer": "/data/0", "reference_pointer": "/no/~1id",
    "status_url": "https://partner.example/in/{key}?a=b", "webhook_header": "X-Signature-256",
}  # fmt: skip
#: Private keys, by what the fields are called; of the certificate that ``value_for`` gives to every field for one.
KEYS = ("own_key", "own_next_key", "private_key")
MOST_DRAWS = 500


@cache
def certificate_pem() -> str:
    return pem(certificate("a")).decode()


def formed_for(field: Field) -> str:
    """Its text where it takes one form only; "" where it does not."""
    if field.name.endswith("certificate"):
        return certificate_pem()
    # Carriers put their name before their fields' own.
    return FORMED.get(field.name) or FORMED.get(field.name.partition("_")[2], "")


def secret_for(field: Field, name: str) -> str:
    return key_pem(key("a")).decode() if field.name.endswith(KEYS) else f"hemmelig: æ\n{name}-{field.name}"


def fits(field: Field, text: str) -> bool:
    """Whether a field takes it."""
    try:
        parse(field, text)
    except FieldInvalid:
        return False
    return True


def value_for(field: Field, chance: random.Random) -> Any:
    """A value of a field as it is stored."""
    typed = {
        FieldType.INTEGER: lambda: str(chance.randint(field.smallest or 0, field.largest or 900)),
        FieldType.DECIMAL: lambda: chance.choice(["0", "0.50", "1", "0.125"]),
        FieldType.BOOLEAN: lambda: chance.choice(["true", "false"]),
        FieldType.CHOICE: lambda: chance.choice([value for value, _ in field.choices]),
        FieldType.EMAIL: lambda: "faktura+1@kunde.example",
        FieldType.IBAN: lambda: "DK5000400440116243",
        FieldType.GLN: lambda: "5798000000001",
        FieldType.PARTICIPANT: lambda: chance.choice(["0088:5798000000001", "0184:01234567", "9930:DE123456789"]),
        FieldType.NUMBER_PATTERN: lambda: chance.choice(["4500######", "PO: [@@-####]"]),
        FieldType.FILE_NAME: lambda: "{type}-{number}",
        FieldType.DATE: lambda: f"2027-0{chance.randint(1, 9)}-1{chance.randint(0, 9)}",
        FieldType.URL: lambda: chance.choice(["https://partner.example/in?a=b", "http://127.0.0.1:8080/x"]),
        FieldType.MULTILINE: lambda: chance.choice(HARD_LINES),
        FieldType.TEXT: lambda: chance.choice([text for text in (*HARD_TEXTS, *PLAIN_TEXTS) if fits(field, text)]),
    }[field.type]
    formed = formed_for(field)
    value = parse(field, formed if formed and fits(field, formed) else typed())
    return {"scheme": value.scheme, "value": value.value} if isinstance(value, Participant) else value


def settings_for(chance: random.Random, *, common: bool, share: float) -> dict[str, Any]:
    """Stored settings; each field with a chance of ``share``."""
    return applied(
        {},
        {
            place(group, field.name): value_for(field, chance)
            for group, fields in groups(common=common).items()
            for field in fields
            if chance.random() < share
        },
    )


LABEL = Text("Felt", "Field")


SCHEDULES = (
    {"kind": "interval", "minutes": "7"}, {"kind": "hourly", "minute": "0", "holidays": "skip"},
    {"kind": "daily", "times": "7.05,16:00", "catch_up": "late", "catch_up_hours": "3"},
    {"kind": "weekdays", "times": "8.00", "catch_up": "never"}, {"kind": "weekly", "times": "8.00", "weekdays": "0 6"},
    {"kind": "monthly", "times": "8.00", "month_day": "31", "holidays": "next", "time_zone": "America/Nuuk"},
    {"kind": "monthly", "times": "8.00", "month_day": "last-weekday"}, {"kind": "cron", "cron": "*/5 8-16 * * MON-FRI"},
)  # fmt: skip


class Other(Transport):
    """A kind of gateway whose fields have every type, and that takes one format only."""

    kind = "other"
    fields = (
        *(Field(f"f_{type.name.lower()}", LABEL, type, choices=(("no", LABEL), ("0088", LABEL))) for type in FieldType),
        Field("key", LABEL, FieldType.MULTILINE, secret=True),
    )
    accepts = frozenset(["peppol-bis-3"])


@pytest.fixture(autouse=True)
def other(monkeypatch: pytest.MonkeyPatch) -> type[Transport]:
    monkeypatch.setitem(registry(), "other", Other)
    return Other


class Builder:
    """Makes configurations in the database."""

    def __init__(self, seed: int, share: float = 1.0) -> None:
        self.chance, self.share = random.Random(seed), share
        self.clear: dict[str, str] = {}
        """Secrets by the reference that the export writes"""

    def subscription(self, name: str) -> Subscription:
        row = Subscription(name=name)
        db.session.add(row)
        db.session.flush()
        return row

    def gateway(self, subscription: Subscription, kind: str, name: str, **columns: Any) -> Gateway:
        fields = registry()[kind].fields
        row = Gateway(id=new_id(), subscription_id=subscription.id, kind=kind, name=name, **columns)
        values = self.working(registry()[kind], {
            field.name: secret_for(field, name) if field.secret else self.drawn(field, self.share) for field in fields
        })  # fmt: skip
        given = {field.name: values[field.name] for field in fields if field.secret and values[field.name]}
        row.config, row.secrets = secrets.seal(fields, values, {}, f"gateway/{row.id}")
        row.secret_references = {}
        db.session.add(row)
        db.session.flush()
        self.clear |= {f"gateway/{row.name}/{field}": value for field, value in given.items()}
        return row

    def drawn(self, field: Field, share: float) -> Any:
        return value_for(field, self.chance) if field.required or self.chance.random() < share else field.default

    def working(self, transport: type[Transport], values: dict[str, Any]) -> dict[str, Any]:
        """What the transport complains of is drawn anew until nothing is; a secret is left out or given back then."""
        given = {field.name: values[field.name] for field in transport.fields if field.secret}
        for _ in range(MOST_DRAWS):
            wrong = transport.problems(values, {name for name in given if values[name]})
            if not wrong:
                return values
            for field in transport.fields:
                if field.name in wrong and field.secret:
                    values[field.name] = None if values[field.name] else given[field.name]
                elif field.name in wrong:
                    values[field.name] = self.drawn(field, 0.5)
        raise AssertionError(f"no {transport.kind} that works was found: {wrong}")

    def adaptor(self, subscription: Subscription, name: str, gateway: Gateway | None, **columns: Any) -> Adaptor:
        row = Adaptor(
            id=new_id(), subscription_id=subscription.id, name=name, source_kind="billy", settings={}, **columns
        )  # fmt: skip
        row.default_gateway_id = gateway.id if gateway else None
        row.source_secrets = {"token": secrets.encrypt(f"token {name}", f"adaptor/{row.id}/token")}
        row.settings = settings_for(self.chance, common=True, share=self.share)
        row.settings = {
            **row.settings,
            "vat": {
                "0012": {"category": "S", "exemptionReason": None, "exemptionCode": None},
                "no": {
                    "category": "AE",
                    "exemptionReason": "Momslovens § 46: »omvendt«",
                    "exemptionCode": "VATEX-EU-AE",
                },
                "ukendt": {"category": "E"},
            },
        }
        db.session.add(row)
        db.session.flush()
        self.clear[f"adaptor/{row.name}/token"] = f"token {name}"
        return row

    def customer(self, adaptor: Adaptor, gateway: Gateway, source_id: str, name: str, **columns: Any) -> Customer:
        row = Customer(
            id=new_id(), subscription_id=adaptor.subscription_id, adaptor_id=adaptor.id, source_id=source_id, name=name,
            number=columns.pop("number", None), raw={"id": source_id},
        )  # fmt: skip
        rule = ExportRule(
            subscription_id=adaptor.subscription_id, adaptor_id=adaptor.id, customer_id=row.id, gateway_id=gateway.id,
            **{"format": "peppol-bis-3", "active": True, **columns},
        )  # fmt: skip
        rule.settings = settings_for(self.chance, common=False, share=self.share)
        db.session.add_all([row, rule])
        db.session.flush()
        return row

    def everything(self) -> None:
        """Two subscriptions, several adaptors, every kind of gateway, hard names."""
        mine, foreign = self.subscription("Æ & Ø: »Revision« 🧾"), self.subscription("Fremmed")
        kinds = sorted(registry())
        rows = [self.gateway(mine, kind, f"{kind}: nr. 0{number} 🚚") for number, kind in enumerate(kinds)]
        rows.append(self.gateway(mine, "sftp", "SFTP: nr. 00 🚚", environment=Environment.TEST))
        rows.append(self.gateway(mine, "sftp", "no", environment=Environment.TEST))
        self.gateway(foreign, "sftp", "Fremmed")
        open_ones = [row for row in rows if registry()[row.kind].accepts is None]
        main = self.adaptor(
            mine, "Billy", open_ones[0], description=HARD_LINES[0], default_format="oioubl-2.1", start_date=date(2026, 2, 1),
            new_customers=NewCustomers.IGNORE,
            organization={
                "id": "0rg", "name": "Eksempel: »A« ApS", "registration_no": "01234567",
                "tax_rates": [
                    {"id": "0012", "name": "Salg: 25 %", "rate": Decimal("0.25")},
                    {"id": "no", "name": "Nej", "rate": 0}, {"id": "uden valg", "name": "x", "rate": Decimal("0.125")},
                ],
            },
        )  # fmt: skip
        self.adaptor(
            mine, "yes", None, environment=Environment.TEST, active=False, new_customers=NewCustomers.ACTIVATE,
            description="", default_format=None,
        )  # fmt: skip
        for raw in SCHEDULES:
            state = {"active": "minutes" not in raw, "paused_until": date(2031, 1, 1) if "cron" in raw else None}
            schedules.put(main, schedule_input.read({"holidays": "run", "catch_up": "once", **raw}), **state)
        gone = self.adaptor(mine, "Slettet", None, deleted_at=utcnow())
        self.customer(gone, rows[0], "1", "Slettet")
        for number, text in enumerate(HARD_TEXTS):
            self.customer(
                main, open_ones[number % 3], f"{1000 - number:04}", text[:500], number=self.chance.choice([None, "007", " "]),
                format=sorted(formats())[number % len(formats())], active=number % 4 != 0,
                approved_at=utcnow() if number % 5 == 0 else None,
            )  # fmt: skip
        self.customer(main, next(row for row in rows if row.kind == "other"), "o", "Linje\n\t\x01to \x85 ")
        undecided = Customer(subscription_id=mine.id, adaptor_id=main.id, source_id="u", name="Uden regel", raw={})
        db.session.add(undecided)
        db.session.commit()


@pytest.fixture
def secrets_dir(config: Config) -> Path:
    """Where a file may point to secrets."""
    config.secrets_dir.mkdir()
    return config.secrets_dir


@pytest.fixture
def build(app: Flask) -> Callable[..., Builder]:
    return Builder


@pytest.fixture
def emptied(app: Flask) -> Callable[[], None]:
    """Makes the database an empty one."""

    def empty() -> None:
        db.session.remove()
        db.drop_all()
        db.create_all()

    return empty
