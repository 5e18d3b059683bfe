"""A marked test document, sent through a gateway as it is configured, so that people see it arrive before invoices do.

It belongs to no books: there is no document and no delivery of it, only a line in the history.
"""

from __future__ import annotations

import base64
import logging
import os
import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import func, select

from invoiceapp.domain.fields import Field, FieldInvalid, FieldType, parse
from invoiceapp.domain.file_names import FileName
from invoiceapp.domain.findings import Text, has_fatal
from invoiceapp.domain.identifiers import CVR, GLN, Participant, is_valid_cvr
from invoiceapp.domain.invoice import DocumentType, Invoice, Item, Line
from invoiceapp.domain.parties import Address, Contact, Party
from invoiceapp.domain.tax import VatCategory, VatClass
from invoiceapp.domain.totals import document_totals, vat_breakdown
from invoiceapp.formats.base import Format, Interchange, Parameters
from invoiceapp.formats.base import registry as formats
from invoiceapp.gateways.base import Consignment, Payload, Receipt, Transport, TransportError, Unknown
from invoiceapp.models import Adaptor, ExportRule, Gateway, Subscription, db, utcnow
from invoiceapp.services.database import transaction
from invoiceapp.services.errors import InvalidInput
from invoiceapp.services.export import drawing, events
from invoiceapp.services.export.rendering import filename

from . import gateways
from .seen import keep_renewed, note_seen

log = logging.getLogger(__name__)

_DENMARK = ZoneInfo("Europe/Copenhagen")
#: The option by which formats mark a document as a test (UNB 0035 of EDIFACT).
_TEST_OPTION = "testFlag"
#: The declared field of transports that send to an address, which is the customer's own where it is empty.
_RECIPIENT = "recipient"
#: CVR numbers with right check digits that the register will never reach, and GLNs of the Danish series for tests.
_SELLER_CVR, _BUYER_CVR = "99999985", "99999993"
_SELLER_GLN, _BUYER_GLN = "5798000000001", "5798000000018"
NOTE = "TEST – må ikke bogføres / do not book"

ADDRESS = Field("address", Text("Send prøven til", "Send the sample to"), FieldType.EMAIL, required=True)


@dataclass(frozen=True, slots=True)
class Sent:
    """What became of a sample."""

    number: str
    receipt: Receipt | None = None
    error: TransportError | None = None

    @property
    def outcome(self) -> str:
        """``accepted``, or the name of the error: refused, rejected, unavailable or unknown."""
        return "accepted" if self.error is None else type(self.error).__name__.lower()


def is_possible(gateway: Gateway) -> bool:
    """Whether there is anybody whom a sample could go to: a network has no receiver for tests in its live registers."""
    transport = gateways.transport_class(gateway)
    return transport.sends and not transport.networks


def formats_of(gateway: Gateway) -> list[Format]:
    """Those that the gateway takes and that need no settings of a customer's; none where no sample is possible."""
    if not is_possible(gateway):
        return []
    accepts = gateways.transport_class(gateway).accepts
    taken = (fmt for fmt in formats().values() if accepts is None or fmt.id in accepts)
    example = invoice(utcnow(), None, None)
    return [fmt for fmt in taken if not has_fatal(fmt.check(example, _parameters(fmt, utcnow())))]


def usual_format(gateway: Gateway) -> str | None:
    """What its customers get most, else what the adaptors give new ones."""
    most = (
        select(ExportRule.format)
        .where(ExportRule.gateway_id == gateway.id)
        .group_by(ExportRule.format)
        .order_by(func.count().desc(), ExportRule.format)
        .limit(1)
    )
    default = select(Adaptor.default_format).where(
        Adaptor.subscription_id == gateway.subscription_id,
        Adaptor.deleted_at.is_(None),
        Adaptor.default_format.is_not(None),
    )
    return db.session.scalar(most) or db.session.scalar(default.order_by(Adaptor.id).limit(1))


def needs_address(gateway: Gateway) -> bool:
    """Whether the gateway would send to the customer's own e-mail address, which a sample does not have."""
    fields = gateways.transport_class(gateway).fields
    return any(field.name == _RECIPIENT for field in fields) and not gateway.config.get(_RECIPIENT)


def send(gateway_id: str, format_id: str, address: str, actor: str) -> Sent:
    """Send one, also through a paused gateway. Raises ``InvalidInput``, ``ServiceError``; nothing was sent then."""
    now = utcnow()
    with transaction() as session:
        gateway = session.get_one(Gateway, gateway_id)
        fmt, email = _wanted(gateway, format_id, address)
        example = invoice(now, *_seller(gateway))
        opened, stored_secrets = gateways.open_transport(gateway), dict(gateway.secrets)
    consignment = _consignment(example, fmt, _written(fmt, example, now), email)
    with opened as transport:
        sent = _sent(transport, consignment)
        seen = dict(transport.seen)
    keep_renewed(gateway_id, stored_secrets, transport.renewed)
    with transaction() as session:
        events.record(
            "sample_sent", subscription_id=session.get_one(Gateway, gateway_id).subscription_id, actor=actor,
            gateway=gateway_id, format=fmt.id, number=sent.number, outcome=sent.outcome,
            reference=sent.receipt.reference if sent.receipt else None,
        )  # fmt: skip
    note_seen(gateway_id, seen)
    return sent


def _wanted(gateway: Gateway, format_id: str, address: str) -> tuple[Format, str | None]:
    errors: dict[str, Text] = {}
    fmt = {one.id: one for one in formats_of(gateway)}.get(format_id)
    if fmt is None:
        errors["format"] = Text("Vælg et format.", "Choose a format.")
    email = None
    if needs_address(gateway):
        try:
            email = parse(ADDRESS, address)
        except FieldInvalid as error:
            errors[ADDRESS.name] = error.text
    if fmt is None or errors:
        raise InvalidInput(errors)
    return fmt, email


def _sent(transport: Transport, consignment: Consignment) -> Sent:
    try:
        return Sent(consignment.document_no, receipt=transport.send(consignment))
    except TransportError as error:
        return Sent(consignment.document_no, error=error)
    except Exception as error:
        log.exception("unexpected error in the transport while sending a sample")
        unexpected = Text(
            "Uventet fejl under afsendelsen. Spørg modtageren, om prøven er kommet.",
            "Unexpected error while sending. Ask the receiver whether the sample has come.",
        )
        return Sent(consignment.document_no, error=Unknown(unexpected, type(error).__name__))


def _parameters(fmt: Format, now: datetime) -> Parameters:
    """Marked as a test where the format can; numbered by the second, because partners take each number once."""
    typed = {_TEST_OPTION: "true"} if any(option.name == _TEST_OPTION for option in fmt.options) else {}
    number = int(now.timestamp()) % 1_000_000_000
    return fmt.parameters(typed, Interchange(number, now, str(uuid.uuid4())))


def _written(fmt: Format, example: Invoice, now: datetime) -> bytes:
    """Raises ``ServiceError`` where the PDF engine fails."""
    parameters = _parameters(fmt, now)
    return drawing.write(fmt, example, parameters) if fmt.draws else fmt.write(example, parameters)


def _consignment(example: Invoice, fmt: Format, content: bytes, email: str | None) -> Consignment:
    key = base64.b32encode(os.urandom(20)).decode("ascii").lower()
    values = {"date": example.issue_date.isoformat(), "customer": example.buyer.name}
    return Consignment(
        key=key,
        payload=Payload(content, filename(example, fmt, FileName(), key), fmt.media_type),
        format=fmt.id,
        document_no=example.number,
        document_type=example.type.value,
        sender_name=example.seller.name,
        receiver_name=example.buyer.name,
        sender=example.seller.endpoint,
        receiver=example.buyer.endpoint,
        receiver_email=email,
        file_name=FileName(None, values),
    )


def _seller(gateway: Gateway) -> tuple[str | None, str | None]:
    """Name and CVR number of the company whose invoices go through it, as far as they are known."""
    query = select(Adaptor).where(Adaptor.subscription_id == gateway.subscription_id, Adaptor.deleted_at.is_(None))
    rows = db.session.scalars(query.order_by(Adaptor.id)).all()
    known: dict[str, Any] = next((row.organization for row in rows if row.organization), {})
    name = known.get("name") or db.session.get_one(Subscription, gateway.subscription_id).name
    return name, known.get("registration_no")


def invoice(now: datetime, name: str | None, cvr: str | None) -> Invoice:
    """The example: one line, 25 % VAT, DKK 125.00, and a number and notes that nobody takes for a real one."""
    local = now.astimezone(_DENMARK)
    number = f"TEST-{local:%Y%m%d-%H%M}"
    vat_class = VatClass(VatCategory.STANDARD, Decimal(25))
    item = Item("TEST – må ikke bogføres", "TEST – do not book", "TEST")
    lines = (Line("1", Decimal(1), "EA", Decimal("100.00"), Decimal("100.00"), vat_class, item),)
    vat = vat_breakdown(lines)
    return Invoice(
        source_id=f"sample:{number}",
        type=DocumentType.INVOICE,
        number=number,
        issue_date=local.date(),
        due_date=local.date() + timedelta(days=14),
        currency="DKK",
        seller=_party(name or "TEST – afsender", cvr if cvr and is_valid_cvr(cvr) else _SELLER_CVR, _SELLER_GLN),
        buyer=_party("TEST – modtager", _BUYER_CVR, _BUYER_GLN),
        lines=lines,
        vat=vat,
        totals=document_totals(lines, vat),
        note=NOTE,
        buyer_reference="TEST",
        order_reference="TEST",
    )


def _party(name: str, cvr: str, gln: str) -> Party:
    return Party(
        name, Participant(GLN, gln), name, cvr, CVR, f"DK{cvr}",
        Address("Testvej 1", None, "Testby", "1000", None, "DK"), Contact("TEST", "TEST"),
    )  # fmt: skip
