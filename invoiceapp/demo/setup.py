"""The demo company's rows: a subscription, a user, gateways to the demo partners, an adaptor with activated customers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from flask_security import hash_password
from sqlalchemy import select

from invoiceapp.config import kept_secret
from invoiceapp.current import config, guard
from invoiceapp.domain.network import Network
from invoiceapp.domain.tax import VatCategory
from invoiceapp.extensions import security
from invoiceapp.models import Adaptor, Customer, Gateway, Membership, Role, Subscription, User, utcnow
from invoiceapp.outbound.deadline import Deadline
from invoiceapp.outbound.errors import OutboundError
from invoiceapp.outbound.http import HttpClient
from invoiceapp.services.configuration import customer_reading, gateways, rules, sources
from invoiceapp.services.daily import schedule_input, schedules
from invoiceapp.services.database import transaction

from . import addresses
from .addresses import Addresses
from .billy.company import demo_company
from .networks.sml import ZONES
from .partners.sftp_server import DEMO_PASSWORD, DEMO_USER
from .partners.sproom_api import DEMO_TOKEN as SPROOM_TOKEN
from .partners.sproom_api import WEBHOOK
from .serve import TOKEN, available

EMAIL = "demo@example.com"
ADAPTOR = "Billy"
#: The company's own GLN, which EDIFACT demands.
GLN = "5798990000005"
#: Beginning of the GLNs of the stand-in's retail chains.
_CHAINS = "5798990002"
#: What German customers read: a PDF with the e-invoice inside.
_GERMANY = "DE"
SFTP_NAME = "NemHandel-postkasse (SFTP)"
MAIL_NAME = "E-mail"
NETWORK_NAME = "Netværk"
PROVIDER_NAME = "Sproom (demo)"
#: The demo runs often, so that a new invoice in the stand-in is soon seen.
_SCHEDULE = {"kind": "interval", "minutes": "2", "holidays": "run", "catch_up": "once"}
_CATEGORIES = {
    "Momsfri": VatCategory.EXEMPT,
    "EU-varesalg": VatCategory.INTRA_COMMUNITY,
    "EU-ydelse omvendt betalingspligt": VatCategory.REVERSE_CHARGE,
    "Eksport": VatCategory.EXPORT,
}


def _people() -> str:
    """Subscription and user, made once; the subscription's id."""
    with transaction() as session:
        subscription = session.scalar(select(Subscription).where(Subscription.is_demo))
        if subscription is None:
            company = demo_company(addresses.anchor(config().instance_dir))
            subscription = Subscription(name=str(company.organization["name"]), is_demo=True)
            session.add(subscription)
            session.flush()
        if session.scalar(select(User).where(User.email == EMAIL)) is None:
            user = security.datastore.create_user(
                email=EMAIL, name="Demo", password=hash_password(password()), active=True
            )
            session.flush()
            session.add(Membership(subscription_id=subscription.id, user_id=user.id, role=Role.OWNER))
        return subscription.id


def password() -> str:
    """The demo user's password, made at the first start."""
    return kept_secret(addresses.folder(config().instance_dir), "password")[:20]


def _gateway(subscription_id: str, kind: str, name: str, raw: dict[str, str]) -> Gateway:
    with transaction() as session:
        known = session.scalar(
            select(Gateway.id).where(Gateway.subscription_id == subscription_id, Gateway.name == name)
        )
    return gateways.save(subscription_id, kind, name, raw, known)


def _hear_of_changes(subscription_id: str, found: Addresses) -> None:
    """Have the provider tell us at once what becomes of documents; without it we ask by ourselves."""
    sproom = found.providers.get("sproom")
    if sproom is None:
        return
    with transaction() as session:
        gateway = session.scalars(
            select(Gateway).where(Gateway.subscription_id == subscription_id, Gateway.name == PROVIDER_NAME)
        ).one()
        webhook = {"type": WEBHOOK, "url": gateways.told_inbound_url(gateway)}
    headers = {"Authorization": f"Bearer {SPROOM_TOKEN}", "Content-Type": "application/json"}
    with suppress(OutboundError), HttpClient(guard()) as http:
        http.request(
            "POST", f"{sproom}/webhooks", Deadline(5, 5), headers=headers, content=json.dumps(webhook).encode()
        )


def _gateways(subscription_id: str, found: Addresses) -> tuple[Gateway, Gateway]:
    """Gateways to the stand-ins; their ports are brought up to date at every start."""
    sftp = _gateway(
        subscription_id, "sftp", SFTP_NAME,
        {
            "host": "127.0.0.1", "port": str(found.sftp_port), "username": DEMO_USER, "password": DEMO_PASSWORD,
            "host_key": found.host_key, "folder": ".", "with_pdf": "true",
        },
    )  # fmt: skip
    mail = _gateway(
        subscription_id, "email", MAIL_NAME,
        {
            "host": "127.0.0.1", "port": str(found.smtp_port), "security": "none", "auth": "none",
            "sender": "faktura@nordlys.example",
            "sender_name": "Nordlys Kontor & Service", "recipient": "bogholderi@modtager.example", "with_pdf": "true",
        },
    )  # fmt: skip
    if found.dns_port:
        _gateway(subscription_id, "network", NETWORK_NAME, _registers(found))
    if sproom := found.providers.get("sproom"):
        _gateway(
            subscription_id, "sproom", PROVIDER_NAME,
            {"system": "test", "base_url": sproom, "token": SPROOM_TOKEN, "answer_hours": "48", "connections": "2"},
        )  # fmt: skip
    return sftp, mail


def _registers(found: Addresses) -> dict[str, str]:
    """Where a gateway looks up receivers, by the fields of ``gateways/lookup_fields``."""
    return {
        "lookup": "own", "nemhandel_zone": ZONES[Network.NEMHANDEL], "peppol_zone": ZONES[Network.PEPPOL],
        "name_server": f"127.0.0.1:{found.dns_port}", "register_url": found.register_url,
        "directory_url": found.directory_url, "lookup_ca": found.ca,
        "nemhandel_anchors": found.anchors, "peppol_anchors": found.anchors,
        "recheck": "true", "recheck_hour": "3", "max_age_hours": "24",
    }  # fmt: skip


def _adaptor(subscription_id: str) -> tuple[str, bool]:
    """Id of the demo's adaptor, and whether it was made now."""
    with transaction() as session:
        known = session.scalar(select(Adaptor.id).where(Adaptor.subscription_id == subscription_id))
        if known is not None:
            return known, False
        adaptor = Adaptor(subscription_id=subscription_id, name=ADAPTOR, source_kind="billy", settings={})
        session.add(adaptor)
        session.flush()
        return adaptor.id, True


def _vat_map(adaptor_id: str) -> None:
    """A category for each of the stand-in's rates of 0 %, as a user would choose it."""
    with transaction() as session:
        row = session.get_one(Adaptor, adaptor_id)
        rates = (row.organization or {})[sources.TAX_RATES]
        categories = {str(rate["id"]): _CATEGORIES[rate["name"]] for rate in rates if rate["name"] in _CATEGORIES}
        row.settings = {
            **row.settings,
            "vat": {rate: {"category": category.value} for rate, category in categories.items()},
        }


def _sender(adaptor_id: str) -> None:
    with transaction() as session:
        row = session.get_one(Adaptor, adaptor_id)
        row.settings = {**row.settings, "supplier": {"gln": GLN}}


def _activate(adaptor_id: str, sftp: Gateway, mail: Gateway) -> None:
    """Public bodies by OIOUBL, chains by EDIFACT, Germans by Factur-X, other companies by Peppol.

    Private persons stay off, as a user would have it.
    """
    with transaction() as session:
        customers = session.scalars(
            select(Customer)
            .where(Customer.adaptor_id == adaptor_id, Customer.is_archived.is_(False))
            .order_by(Customer.name)
        ).all()
    chosen: dict[tuple[str, str], list[str]] = {}
    for position, customer in enumerate(customers):
        if customer.raw.get("type") == "person":
            continue
        if (customer.gln or "").startswith(_CHAINS):
            pair = ("edifact-d96a", sftp.id)
        elif customer.gln or customer.name.startswith("Institutionen"):
            pair = ("oioubl-2.1", sftp.id)
        elif customer.country == _GERMANY:
            pair = ("facturx", mail.id)
        elif customer.country in ("DK", None) and position % 3 == 0:
            pair = ("peppol-bis-3", mail.id)
        else:
            pair = ("peppol-bis-3", sftp.id)
        chosen.setdefault(pair, []).append(customer.id)
    for (format_id, gateway_id), ids in chosen.items():
        rules.activate(adaptor_id, ids, format_id, gateway_id)


@contextmanager
def at_hand() -> Iterator[None]:
    """The stand-ins, with the demo's rows pointing at them, for as long as the block lasts."""
    with available(config().instance_dir) as found:
        subscription_id = _people()
        _gateways(subscription_id, found)
        adaptor_id, _ = _adaptor(subscription_id)
        sources.connect(adaptor_id, {"token": TOKEN, "base_url": found.billy_url})
        yield


def create() -> list[str]:
    """Make or refresh the demo company; the lines that tell how to use it. May be run again."""
    with available(config().instance_dir) as found:
        subscription_id = _people()
        sftp, mail = _gateways(subscription_id, found)
        _hear_of_changes(subscription_id, found)
        adaptor_id, is_new = _adaptor(subscription_id)
        sources.connect(adaptor_id, {"token": TOKEN, "base_url": found.billy_url})
        if is_new:
            customer_reading.refresh_customers(adaptor_id)
            _vat_map(adaptor_id)
            _sender(adaptor_id)
            _activate(adaptor_id, sftp, mail)
            with transaction() as session:
                adaptor = session.get_one(Adaptor, adaptor_id)
                adaptor.default_format, adaptor.default_gateway_id = "oioubl-2.1", sftp.id
                schedules.put(adaptor, schedule_input.read(_SCHEDULE)).next_at = utcnow()
    return [
        "Demo company: Nordlys Kontor & Service ApS",
        f"  address:  {config().base_url}",
        f"  user:     {EMAIL}",
        f"  password: {password()}",
        f"  adaptor:  {ADAPTOR} ({adaptor_id})",
        f"  what the demo receivers got: {found.pages_url}",
    ]
