"""Certificates of a gateway: making and importing our own, taking the partner's, and going over to the next one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date

from cryptography import x509
from cryptography.hazmat.primitives import hashes

from invoiceapp.domain.findings import Text
from invoiceapp.gateways.base import KeyPair
from invoiceapp.models import Gateway, Subscription, utcnow
from invoiceapp.services import secrets
from invoiceapp.services.database import transaction
from invoiceapp.services.errors import Conflict, InvalidInput, ServiceError, text_dict
from invoiceapp.services.export import events

from . import certificate_files, expiries, gateways
from .certificate_files import Pair, pem, read_certificate
from .certificate_sets import CertificateSet, Shown, others, sets

__all__ = [
    "CertificateSet",
    "Choice",
    "Shown",
    "certificate_in",
    "find",
    "import_pair",
    "keep_partners",
    "make",
    "others",
    "preview_partners",
    "remove_unused",
    "sets",
    "switch_now",
]

#: Declared field of transports that partners know us by a name of.
OUR_NAME = "as2_from"

#: New values by declared field; None empties it.
Values = Mapping[str, str | None]


class NoSuchSet(ServiceError):
    """The gateway has no certificates of that name, with its present settings."""

    def __init__(self) -> None:
        super().__init__(Text("Gatewayen har ikke det certifikat.", "The gateway has no such certificate."))


@dataclass(frozen=True, slots=True)
class Choice:
    """What a person chose for a new certificate."""

    shown: str
    """``gateways.version`` when the form was made"""
    switch_on: str = ""
    """ISO 8601; read only where the certificate becomes the next one"""
    replace: bool = False
    """Whether one may be lost by it (``CertificateSet.lost``)"""


def find(gateway: Gateway, name: str) -> CertificateSet:
    """Raises ``NoSuchSet``."""
    found = next((one for one in sets(gateway) if one.name == name), None)
    if found is None:
        raise NoSuchSet
    return found


def certificate_in(gateway: Gateway, field: str) -> x509.Certificate:
    """A certificate of ours, to give to the partner; never anything else. Raises ``NoSuchSet``."""
    ours = (shown for one in sets(gateway) if one.is_ours for shown in one.all)
    found = next((shown.certificate for shown in ours if shown.field == field), None)
    if found is None:
        raise NoSuchSet
    return found


def make(gateway_id: str, name: str, choice: Choice, actor: str) -> None:
    """Make a new pair, unless an authority issues it. Raises ``NoSuchSet``, ``InvalidInput`` and ``Conflict``."""
    with transaction() as session:
        gateway = session.get_one(Gateway, gateway_id)
        if find(gateway, name).is_issued:
            raise NoSuchSet
        known_as = str(gateway.config.get(OUR_NAME) or gateway.name)
        organisation = session.get_one(Subscription, gateway.subscription_id).name
    _take(gateway_id, name, certificate_files.new_pair(known_as, organisation), choice, actor, "made")


def import_pair(gateway_id: str, name: str, content: bytes, password: str, choice: Choice, actor: str) -> int:
    """Take the pair of a PKCS#12 or PEM file; how many other certificates of it were left out.

    Raises ``InvalidInput`` and ``Conflict``.
    """
    with transaction() as session:
        is_issued = find(session.get_one(Gateway, gateway_id), name).is_issued
    # Outside the transaction: it may take seconds.
    try:
        pair = certificate_files.read_pair(content, password, with_chain=is_issued)
    except certificate_files.FileUnusable as error:
        raise InvalidInput({"file": error.text}) from None
    _take(gateway_id, name, pair, choice, actor, "imported")
    return pair.left_out


def _take(gateway_id: str, name: str, pair: Pair, choice: Choice, actor: str, what: str) -> None:
    def values(gateway: Gateway, found: CertificateSet) -> Values:
        if not found.is_ours:
            raise NoSuchSet
        return _placed(gateway, found, pair.certificate, pair.key, choice)

    _change(gateway_id, name, choice.shown, actor, what, values)


def preview_partners(gateway: Gateway, name: str, content: bytes) -> Shown:
    """The partner's certificate of a file, before it is kept. Raises ``InvalidInput``."""
    if find(gateway, name).is_ours:
        raise NoSuchSet
    certificate = _read_new(gateway, content)
    _require_fit(gateway, {name: pem(certificate)}, "file")
    return Shown(name, certificate, utcnow())


def _read_new(gateway: Gateway, content: bytes) -> x509.Certificate:
    try:
        certificate = read_certificate(content)
    except certificate_files.FileUnusable as error:
        raise InvalidInput({"file": error.text}) from None
    _require_new(gateway, certificate)
    return certificate


def keep_partners(gateway_id: str, name: str, content: bytes, choice: Choice, actor: str) -> None:
    """Take the partner's certificate after a person has compared its fingerprint. Raises ``InvalidInput``, ``Conflict``."""

    def values(gateway: Gateway, found: CertificateSet) -> Values:
        if found.is_ours:
            raise NoSuchSet
        return _placed(gateway, found, pem(_read_new(gateway, content)), None, choice)

    _change(gateway_id, name, choice.shown, actor, "received", values)


def switch_now(gateway_id: str, name: str, shown: str, actor: str) -> None:
    """Use the next one from today on; the old one stays, for what is on its way. Raises ``Conflict``."""

    def values(_gateway: Gateway, found: CertificateSet) -> Values:
        if found.waiting is None or found.declared.switch_on is None:
            raise Conflict(_NOTHING_WAITS)
        if found.waiting.problem is not None:
            raise Conflict(found.waiting.problem)
        return {found.declared.switch_on: found.today.isoformat()}

    _change(gateway_id, name, shown, actor, "switched", values)


def remove_unused(gateway_id: str, name: str, shown: str, actor: str) -> None:
    """Remove the one that is not in use: the next one, or after the switch the old one. Raises ``Conflict``."""

    def values(gateway: Gateway, found: CertificateSet) -> Values:
        if found.following is None:
            raise Conflict(_NOTHING_WAITS)
        return _moved_up(gateway, found) if found.has_switched else _emptied(found)

    _change(gateway_id, name, shown, actor, "removed", values)


def _change(
    gateway_id: str, name: str, shown: str, actor: str, what: str, values_of: Callable[[Gateway, CertificateSet], Values],
) -> None:  # fmt: skip
    """Store what ``values_of`` says of the row as it is, under a lock."""
    with transaction() as session:
        gateway = session.get_one(Gateway, gateway_id, with_for_update={"key_share": True}, populate_existing=True)
        if shown != gateways.version(gateway):
            raise Conflict(_CHANGED)
        found = find(gateway, name)
        values = values_of(gateway, found)
        _require_fit(gateway, values, "file")
        _store(gateway, values)
        events.record(
            "gateway_certificate", subscription_id=gateway.subscription_id, actor=actor, gateway=gateway.id,
            name=gateway.name, what=what, fields=sorted(values), fingerprints=_fingerprints(find(gateway, name)),
            **text_dict(found.declared.label),
        )  # fmt: skip


def _fingerprints(found: CertificateSet) -> list[str]:
    """Of what there is afterwards."""
    return [shown.certificate.fingerprint(hashes.SHA256()).hex() for shown in found.all if shown.certificate]


def _store(gateway: Gateway, values: Values) -> None:
    fields = [field for field in gateways.transport_class(gateway).fields if field.name in values]
    emptied = {name for name, value in values.items() if value is None}
    kept = {name: sealed for name, sealed in gateway.secrets.items() if name not in emptied}
    config, gateway.secrets = secrets.seal(fields, values, kept, f"gateway/{gateway.id}")
    gateway.config = {**gateway.config, **config}
    # What the partner did not answer may have been asked with the old certificate.
    gateway.retry_at = None
    expiries.refresh(gateway)


def _placed(gateway: Gateway, found: CertificateSet, certificate: str, key: str | None, choice: Choice) -> Values:
    """A new one in its place: in use at once where there is none, else after the one in use."""
    _require_new(gateway, x509.load_pem_x509_certificate(certificate.encode()))
    if found.lost is not None and not choice.replace:
        raise InvalidInput({"replace": _LOSES_ONE})
    declared = found.declared
    if not found.takes_date:
        return _pair(declared.certificate, certificate, declared.key if isinstance(declared, KeyPair) else None, key)
    day = _switch_day(choice.switch_on, found.today, x509.load_pem_x509_certificate(certificate.encode()))
    next_key = declared.next_key if isinstance(declared, KeyPair) else None
    moved = _moved_up(gateway, found) if found.has_switched else {}
    following = _pair(str(declared.next_certificate), certificate, next_key, key)
    return {**moved, **following, str(declared.switch_on): day.isoformat()}


def _pair(certificate_field: str, certificate: str | None, key_field: str | None, key: str | None) -> Values:
    return {certificate_field: certificate} | ({key_field: key} if key_field else {})


def _emptied(found: CertificateSet) -> Values:
    """Nothing follows."""
    declared = found.declared
    next_key = declared.next_key if isinstance(declared, KeyPair) else None
    return {**_pair(str(declared.next_certificate), None, next_key, None), str(declared.switch_on): None}


def _moved_up(gateway: Gateway, found: CertificateSet) -> Values:
    """The next one in the first place, which it has taken already by its date."""
    declared = found.declared
    text = gateway.config.get(str(declared.next_certificate))
    if not isinstance(declared, KeyPair):
        return {declared.certificate: text, **_emptied(found)}
    # A secret is sealed for its field.
    sealed = gateway.secrets.get(str(declared.next_key))
    key = secrets.decrypt(sealed, f"gateway/{gateway.id}/{declared.next_key}") if sealed else None
    return {declared.certificate: text, declared.key: key, **_emptied(found)}


def _switch_day(typed: str, today: date, certificate: x509.Certificate) -> date:
    try:
        day = date.fromisoformat(typed)
    except ValueError:
        raise InvalidInput({"switch_on": _NO_DAY}) from None
    if day <= today:
        raise InvalidInput({"switch_on": _PAST})
    if not certificate.not_valid_before_utc.date() <= day < certificate.not_valid_after_utc.date():
        raise InvalidInput({"switch_on": _NOT_VALID_THEN})
    return day


def _require_new(gateway: Gateway, certificate: x509.Certificate) -> None:
    """The same file twice is a slip, and our own file as the partner's another."""
    for one in sets(gateway):
        if any(shown.certificate == certificate for shown in one.all):
            raise InvalidInput({"file": _OURS if one.is_ours else _KNOWN})


def _require_fit(gateway: Gateway, values: Values, field: str) -> None:
    """What the transport itself says of the new values; what else is wrong with the settings is another matter."""
    config = {**gateway.config, **values}
    held = {name for name in {*gateway.secrets, *values} if name not in values or values[name]}
    found = gateways.transport_class(gateway).problems(config, held)
    problem = next((text for name, text in found.items() if values.get(name)), None)
    if problem is not None:
        raise InvalidInput({field: problem})


_CHANGED = Text(
    "Gatewayen er ændret, efter at du åbnede siden, måske af et dobbelt klik. Intet er ændret nu. Se, hvad der står her, og "
    "prøv igen, hvis det stadig er nødvendigt.",
    "The gateway was changed after you opened the page, perhaps by a double click. Nothing was changed now. Look at what is here, "
    "and try again if it is still needed.",
)
_NOTHING_WAITS = Text("Der er intet næste certifikat.", "There is no next certificate.")
_LOSES_ONE = Text(
    "Sæt flueben, hvis det certifikat, der står her, må fjernes.",
    "Tick the box if the certificate that stands here may be removed.",
)
_NO_DAY = Text("Vælg den dag, der skiftes.", "Choose the day of the switch.")
_PAST = Text(
    "Vælg en dag efter i dag, så de andre kan nå at få det nye.",
    "Choose a day after today, so that the others have time to get the new one.",
)
_NOT_VALID_THEN = Text(
    "Certifikatet gælder ikke på den dag. Vælg en dag, hvor det gælder.",
    "The certificate is not valid on that day. Choose a day on which it is.",
)
_KNOWN = Text("Det certifikat har gatewayen allerede.", "The gateway has that certificate already.")
_OURS = Text(
    "Det er et af vores egne certifikater, som allerede er her. Vælg den rigtige fil.",
    "That is one of our own certificates, which is here already. Choose the right file.",
)
