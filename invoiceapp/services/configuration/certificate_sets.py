"""Which certificates a gateway has: ours and the partner's, the ones in use and those that follow them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509.oid import NameOID

from invoiceapp.domain.fields import FieldType, counting
from invoiceapp.domain.findings import Text
from invoiceapp.gateways.base import KeyPair, PartnerCertificate
from invoiceapp.models import Gateway, utcnow
from invoiceapp.services import secrets

from . import certificate_files, expiries, gateways

#: How long people get to give a new certificate to the partner.
NOTICE = timedelta(days=14)


@dataclass(frozen=True, slots=True)
class Shown:
    """What stands in one field, for people."""

    field: str
    certificate: x509.Certificate | None
    """None where it cannot be read; of a chain, the first"""
    now: datetime
    key_problem: Text | None = None
    """Why our key for it cannot be used"""

    @property
    def subject(self) -> str:
        """Its common name, else its whole name (RFC 4514)."""
        if self.certificate is None:
            return ""
        names = self.certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        return str(names[0].value) if names else self.certificate.subject.rfc4514_string()

    @property
    def starts(self) -> datetime | None:
        """Aware."""
        return self.certificate.not_valid_before_utc if self.certificate else None

    @property
    def ends(self) -> datetime | None:
        """Aware."""
        return self.certificate.not_valid_after_utc if self.certificate else None

    @property
    def level(self) -> int | None:
        """As of ``expiries.Ending``."""
        return expiries.level(self.ends, self.now) if self.ends else None

    @property
    def days_left(self) -> int:
        """As of ``expiries.Ending``."""
        return (self.ends - self.now).days if self.ends else 0

    @property
    def serial(self) -> str:
        """Hexadecimal, in pairs."""
        return _grouped(f"{self.certificate.serial_number:X}", 2, ":") if self.certificate else ""

    @property
    def fingerprint(self) -> str:
        """SHA-256 as people read it out: upper-case hexadecimal in groups of four."""
        return _grouped(self.certificate.fingerprint(hashes.SHA256()).hex().upper(), 4, " ") if self.certificate else ""

    @property
    def problem(self) -> Text | None:
        """Why it cannot be used, today; None where it can."""
        if self.certificate is None:
            return _UNREADABLE
        if self.certificate.not_valid_after_utc <= self.now:
            return _EXPIRED
        if self.certificate.not_valid_before_utc > self.now:
            return _NOT_YET
        return self.key_problem


def _grouped(digits: str, size: int, between: str) -> str:
    padded = digits.zfill(-(-len(digits) // size) * size)
    return between.join(padded[start : start + size] for start in range(0, len(padded), size))


@dataclass(frozen=True, slots=True)
class CertificateSet:
    """A declared pair of ours or certificate of the partner's, and what stands in its fields."""

    declared: KeyPair | PartnerCertificate
    current: Shown | None
    following: Shown | None
    switch_on: date | None
    today: date

    @property
    def name(self) -> str:
        """Tells it from others of its gateway."""
        return self.declared.certificate

    @property
    def is_ours(self) -> bool:
        """Whether it has a private key, here."""
        return isinstance(self.declared, KeyPair)

    @property
    def is_issued(self) -> bool:
        """Whether it comes from an authority, and is not made here."""
        return isinstance(self.declared, KeyPair) and self.declared.is_issued

    @property
    def can_follow(self) -> bool:
        """Whether there is a place for the next one."""
        return self.declared.next_certificate is not None and self.declared.switch_on is not None

    @property
    def has_switched(self) -> bool:
        """Whether the next one is the one in use. By the day that transports go by, UTC."""
        return self.following is not None and self.switch_on is not None and self.switch_on <= self.today

    @property
    def in_use(self) -> Shown | None:
        """What counts today."""
        return self.following if self.has_switched else self.current

    @property
    def waiting(self) -> Shown | None:
        """What counts from ``switch_on``, which is to come or not chosen."""
        return None if self.has_switched else self.following

    @property
    def old(self) -> Shown | None:
        """What counted before ``switch_on``."""
        return self.current if self.has_switched else None

    @property
    def lost(self) -> Shown | None:
        """What a new one takes the place of."""
        if self.current is None:
            return None
        return (self.waiting or self.old) if self.can_follow else self.current

    @property
    def takes_date(self) -> bool:
        """Whether a new one becomes the next one."""
        return self.current is not None and self.can_follow

    @property
    def usual_switch(self) -> date:
        """The day to offer: time enough for the partner, but before the one in use ends."""
        wanted = self.today + NOTICE
        if self.in_use and self.in_use.ends:
            wanted = min(wanted, self.in_use.ends.date() - timedelta(days=1))
        return max(wanted, self.today + timedelta(days=1))

    @property
    def warnings(self) -> list[Text]:
        """What is wrong with it, beyond what ``Shown.problem`` says."""
        found = []
        if self.following and self.switch_on is None:
            found.append(_NO_DATE)
        ends = self.current.ends if self.waiting and self.current else None
        if ends and self.switch_on and ends.date() < self.switch_on:
            found.append(_GAP)
        return found

    @property
    def all(self) -> list[Shown]:
        """What there is."""
        return [one for one in (self.current, self.following) if one is not None]


def sets(gateway: Gateway) -> list[CertificateSet]:
    """What counts with its settings, ours first."""
    transport, now = gateways.transport_class(gateway), utcnow()
    counts = counting(transport.fields, gateway.config)
    declared: Iterable[KeyPair | PartnerCertificate] = (*transport.key_pairs, *transport.partner_certificates)
    return [_set(gateway, one, now) for one in declared if one.certificate in counts]


def _set(gateway: Gateway, declared: KeyPair | PartnerCertificate, now: datetime) -> CertificateSet:
    keys = (declared.key, declared.next_key) if isinstance(declared, KeyPair) else (None, None)
    current = _shown(gateway, declared.certificate, keys[0], now)
    following = _shown(gateway, declared.next_certificate, keys[1], now)
    return CertificateSet(declared, current, following, _date(gateway.config, declared.switch_on), now.date())


def _date(config: Mapping[str, Any], field: str | None) -> date | None:
    try:
        return date.fromisoformat(config.get(field or "") or "")
    except ValueError:
        return None


def _shown(gateway: Gateway, field: str | None, key: str | None, now: datetime) -> Shown | None:
    """A key without its certificate is something, too: nothing may take its place in silence."""
    text = gateway.config.get(field or "")
    if field is None or not (text or key in gateway.secrets):
        return None
    certificate = _read(text)
    problem = _key_problem(gateway, key, certificate) if key and certificate else None
    return Shown(field, certificate, now, problem)


def _read(text: Any) -> x509.Certificate | None:
    try:
        return certificate_files.certificates(str(text or "").encode())[0]
    except certificate_files.FileUnusable:
        return None


def _key_problem(gateway: Gateway, field: str, certificate: x509.Certificate) -> Text | None:
    if field not in gateway.secrets:
        return _NO_KEY
    try:
        text = secrets.decrypt(gateway.secrets[field], f"gateway/{gateway.id}/{field}")
        # Whether its numbers are good was looked at when it was stored, and takes long.
        key = load_pem_private_key(text.strip().encode(), None, unsafe_skip_rsa_key_validation=True)
        fits = key.public_key() == certificate.public_key()
    except (ValueError, TypeError, UnsupportedAlgorithm, secrets.SecretUnreadable):
        return _KEY_UNREADABLE
    return None if fits else _KEY_OF_ANOTHER


def others(gateway: Gateway) -> Iterator[tuple[Text, Shown]]:
    """Certificates in other fields, such as a private root, with the fields' labels."""
    known = {name for one in sets(gateway) for name in (one.declared.certificate, one.declared.next_certificate)}
    for field in gateways.transport_class(gateway).fields:
        if field.type is FieldType.MULTILINE and not field.secret and field.name not in known:
            certificate = _read(gateway.config.get(field.name))
            if certificate is not None:
                yield field.label, Shown(field.name, certificate, utcnow())


_UNREADABLE = Text(
    "Certifikatet mangler eller kan ikke læses. Brug et andet, eller sæt det ind igen i gatewayens indstillinger.",
    "The certificate is missing or cannot be read. Use another, or paste it again in the settings of the gateway.",
)
_EXPIRED = Text(
    "Certifikatet er udløbet. De fleste modtagere afviser det.",
    "The certificate has expired. Most receivers refuse it.",
)
_NOT_YET = Text("Certifikatet gælder ikke endnu.", "The certificate is not valid yet.")
_NO_KEY = Text(
    "Certifikatets private nøgle mangler, så det kan ikke bruges. Hent certifikatet ind med nøglen, eller brug et andet.",
    "The private key of the certificate is missing, so it cannot be used. Import the certificate with its key, or use another.",
)
_KEY_UNREADABLE = Text(
    "Den gemte private nøgle kan ikke læses. Hent certifikatet ind igen med nøglen, eller brug et andet.",
    "The saved private key cannot be read. Import the certificate with its key again, or use another.",
)
_KEY_OF_ANOTHER = Text(
    "Den private nøgle hører til et andet certifikat, så intet kan sendes med det. Hent certifikatet ind med dets egen nøgle, "
    "eller brug et andet.",
    "The private key belongs to another certificate, so nothing can be sent with it. Import the certificate with its own key, "
    "or use another.",
)
_NO_DATE = Text(
    "Det næste certifikat har ingen dato, så det bliver aldrig taget i brug. Skift nu, eller sæt en dato i indstillingerne.",
    "The next certificate has no date, so it is never used. Switch now, or set a date in the settings.",
)
_GAP = Text(
    "Certifikatet i brug udløber, før det næste tages i brug. Vælg en tidligere dato i indstillingerne, og giv dem besked, der "
    "skal bruge det næste.",
    "The certificate in use ends before the next one is used. Choose an earlier date in the settings, and tell those who need "
    "the next one.",
)
