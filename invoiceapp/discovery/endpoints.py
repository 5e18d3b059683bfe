"""Which of a registration's endpoints is the one: process, transport profile, dates, certificate."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from invoiceapp.domain.findings import Text
from invoiceapp.domain.identifiers import Participant
from invoiceapp.domain.network import Identifier, ReceivingEndpoint, Service
from invoiceapp.trust.chains import MALFORMED

from .base import CouldNotAsk
from .markup import IDS, SMP, WSA, identifier, only, text_of

_ARMOUR = ("-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----")

_NOT_ACTIVE = Text(
    "Modtageren er registreret til den slags dokument, men ikke med gyldighed i dag ({dates}). Modtageren eller dennes udbyder "
    "skal bringe registreringen i orden.",
    "The receiver is registered for that kind of document, but not for today ({dates}). The receiver or its provider must put "
    "the registration in order.",
)
_CERTIFICATE_OUTDATED = Text(
    "Certifikatet for modtagerens adgangspunkt gælder ikke i dag, så intet kan krypteres til det. Modtagerens udbyder skal "
    "forny det.",
    "The certificate of the receiver's access point is not valid today, so nothing can be encrypted for it. The receiver's "
    "provider must renew it.",
)
_NOT_UNDERSTOOD = Text(
    "Adressen på modtagerens adgangspunkt, dets certifikat eller dets datoer kan ikke læses. Modtagerens udbyder skal rette "
    "registreringen.",
    "The address of the receiver's access point, its certificate or its dates cannot be read. The receiver's provider must "
    "correct the registration.",
)
_NOT_ENCRYPTED = Text(
    "Modtagerens adgangspunkt er registreret med en adresse uden kryptering (http), og dertil sender vi ikke. Modtagerens "
    "udbyder skal rette den.",
    "The receiver's access point is registered with an address without encryption (http), to which we do not send. The "
    "receiver's provider must correct it.",
)


def choose(
    information: Any, service: Service, participant: Participant, profile: str, now: datetime
) -> ReceivingEndpoint | None:
    """The first active endpoint by AS4, of the processes of the service in our order; None where there is none at all.

    ``information``: a verified ServiceInformation; ``profile``: what AS4 is called there. Raises ``CouldNotAsk`` where there are only such as do not hold.
    """
    failures = list[CouldNotAsk]()
    for process, element in _candidates(information, service, profile):
        try:
            return _endpoint(element, process, service, participant, now)
        except CouldNotAsk as error:
            failures.append(error)
    if failures:
        raise failures[0]
    return None


def _candidates(information: Any, service: Service, profile: str) -> Iterator[tuple[Identifier, Any]]:
    processes = [
        (identifier(found), element)
        for element in information.findall(f"{SMP}ProcessList/{SMP}Process")
        if (found := only(element, f"{IDS}ProcessIdentifier")) is not None
    ]
    for wanted in service.processes:
        of_this = replace(service, processes=(wanted,))
        for process, element in processes:
            if of_this.fits(process):
                for endpoint in element.findall(f"{SMP}ServiceEndpointList/{SMP}Endpoint"):
                    if endpoint.get("transportProfile") == profile:
                        yield process, endpoint


def _endpoint(
    element: Any, process: Identifier, service: Service, participant: Participant, now: datetime
) -> ReceivingEndpoint:
    start = _moment(text_of(element, f"{SMP}ServiceActivationDate"))
    end = _moment(text_of(element, f"{SMP}ServiceExpirationDate"))
    if (start and now < start) or (end and now >= end):
        dates = f"{start.date() if start else ''} – {end.date() if end else ''}"
        raise CouldNotAsk(Text(_NOT_ACTIVE.da.format(dates=dates), _NOT_ACTIVE.en.format(dates=dates)), dates)
    return ReceivingEndpoint(
        network=service.network,
        participant=participant,
        document_id=service.document_id,
        process=process,
        transport_profile=element.get("transportProfile"),
        url=_address(text_of(element, f"{WSA}EndpointReference/{WSA}Address")),
        certificate=_certificate(text_of(element, f"{SMP}Certificate"), now),
        asked_at=now,
        active_from=start,
        active_until=end,
    )


def _moment(text: str) -> datetime | None:
    """Of an ``xs:dateTime``; one without a zone is in UTC."""
    if not text:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise CouldNotAsk(_NOT_UNDERSTOOD, f"date {text[:40]}") from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _address(text: str) -> str:
    try:
        parts = urlsplit(text)
        is_plain = bool(parts.hostname) and parts.port != 0 and "@" not in parts.netloc
    except ValueError:
        raise CouldNotAsk(_NOT_UNDERSTOOD, f"address {text[:200]}") from None
    if parts.scheme.lower() == "http":
        raise CouldNotAsk(_NOT_ENCRYPTED, text[:200])
    if parts.scheme.lower() != "https" or not is_plain or not text.isprintable() or " " in text:
        raise CouldNotAsk(_NOT_UNDERSTOOD, f"address {text[:200]}")
    return text


def _certificate(text: str, now: datetime) -> str:
    """PEM, of base64 with or without its armour."""
    for line in _ARMOUR:
        text = text.replace(line, "")
    try:
        found = x509.load_der_x509_certificate(base64.b64decode("".join(text.split()), validate=True))
        starts, ends = found.not_valid_before_utc, found.not_valid_after_utc
    except MALFORMED as error:
        raise CouldNotAsk(_NOT_UNDERSTOOD, f"certificate: {type(error).__name__}") from None
    if not starts <= now <= ends:
        raise CouldNotAsk(_CERTIFICATE_OUTDATED, f"{starts.isoformat()} – {ends.isoformat()}")
    return found.public_bytes(Encoding.PEM).decode()
