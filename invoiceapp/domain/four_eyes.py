"""Four eyes: what about a document is sensitive, and when two ways to write it mean the same. Pure rules.

A ``Fact`` is one thing that a second person may have to approve before a document leaves. Its fingerprint is of the
canonical value, so that blanks and capitals make nothing new, and another value is never covered by an approval.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from decimal import Decimal
from enum import StrEnum
from statistics import median
from typing import Any, Self
from urllib.parse import urlsplit

from .fields import Field, FieldType, counting
from .identifiers import is_valid_iban
from .invoice import PaymentMeans, PaymentMeansCode

#: Documents that a customer's normal amount is taken from, and how many there must be.
NORMAL_OF, FEWEST = 20, 3
DEFAULT_FACTOR = 5
#: ``Fact.subject`` of an account that was not noted when the document was made.
UNKNOWN = "unknown"


class Kind(StrEnum):
    """What a fact is about."""

    ACCOUNT = "account"
    """the account that customers are asked to pay to"""
    GATEWAY = "gateway"
    """the machine, mailbox or service that a gateway leads to"""
    ENDPOINT = "endpoint"
    """the customer's own electronic address or e-mail address"""
    CUSTOMER = "customer"
    """the first invoice to a customer"""
    AMOUNT = "amount"
    """an amount that is far above normal"""


class Switch(StrEnum):
    """What a subscription may switch on."""

    ACCOUNTS = "accounts"
    DESTINATIONS = "destinations"
    CUSTOMERS = "customers"
    AMOUNTS = "amounts"


SWITCHES: Mapping[Kind, Switch] = {
    Kind.ACCOUNT: Switch.ACCOUNTS,
    Kind.GATEWAY: Switch.DESTINATIONS,
    Kind.ENDPOINT: Switch.DESTINATIONS,
    Kind.CUSTOMER: Switch.CUSTOMERS,
    Kind.AMOUNT: Switch.AMOUNTS,
}


@dataclass(frozen=True, slots=True)
class Rules:
    """What a subscription has switched on."""

    on: frozenset[Switch] = frozenset()
    factor: int = DEFAULT_FACTOR
    """Times the customer's normal amount"""
    ceiling: Decimal | None = None
    """In the document's own currency; None: no ceiling"""

    @classmethod
    def of(cls, stored: Mapping[str, Any]) -> Self:
        """Of ``Subscription.four_eyes``; empty: all is off."""
        ceiling = stored.get("ceiling")
        on = frozenset(Switch(name) for name in stored.get("on", ()))
        return cls(on, int(stored.get("factor", DEFAULT_FACTOR)), None if ceiling is None else Decimal(ceiling))

    def to_dict(self) -> dict[str, Any]:
        """The stored form."""
        return {
            "on": sorted(self.on),
            "factor": self.factor,
            "ceiling": None if self.ceiling is None else f"{self.ceiling:f}",
        }

    def watches(self, kind: Kind) -> bool:
        """Whether facts of this kind wait for a second person."""
        return SWITCHES[kind] in self.on

    def loosens(self, before: Rules) -> bool:
        """Whether something that waits by the rules ``before`` would not wait by these."""
        if before.on - self.on:
            return True
        has_more = before.ceiling is not None and (self.ceiling is None or self.ceiling > before.ceiling)
        return Switch.AMOUNTS in before.on and (self.factor > before.factor or has_more)


@dataclass(frozen=True, slots=True)
class Account:
    """An account that an invoice asks to be paid to; ``number`` is canonical, ``shown`` as people read it."""

    number: str
    shown: str
    is_slip: bool = False
    """A FIK creditor or giro account"""

    def to_dict(self) -> dict[str, Any]:
        """The stored form."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Fact:
    """One sensitive value. ``scope`` is the id of what it counts for: adaptor, customer or document."""

    kind: Kind
    scope: str
    value: str
    """Canonical"""
    shown: str
    subject: str = ""
    """Which of several it replaces one of: a gateway's id, or whether the account is a bank's"""
    atoms: frozenset[str] = frozenset()
    """What a person who has typed it has typed (``atoms_of``)"""
    about: str = ""
    """The customer's name, where it is one customer's"""
    known: tuple[str, ...] = ()
    """Of an amount: the limit and the normal one"""

    @property
    def fingerprint(self) -> str:
        """The same for the same value, and for no other."""
        return digest(self.kind.value, self.scope, self.value)


def digest(*parts: str) -> str:
    """SHA-256, in hex."""
    return hashlib.sha256("\x1f".join(parts).encode("utf-8", "surrogatepass")).hexdigest()


# --- accounts ---------------------------------------------------------------------------------------------------------

_NATIONAL = re.compile(r"DK\d{2}(\d{4})(\d{10})")


def bare(text: str) -> str:
    """Letters and digits only, in capitals."""
    return re.sub(r"[^0-9A-Z]", "", text.upper())


def _danish(number: str) -> tuple[str, str] | None:
    """Registration number and ten digits of the account of a Danish IBAN."""
    found = _NATIONAL.fullmatch(number)
    return (found[1], found[2]) if found and is_valid_iban(number) else None


def account_of(means: PaymentMeans) -> Account | None:
    """The account of one way to pay; None where it names none of ours. A Danish account is the same as its IBAN."""
    number, branch = bare(means.account or ""), bare(means.branch or "")
    if not number:
        return None
    if means.code is PaymentMeansCode.FIK:
        return Account(f"FIK/{number.lstrip('0')}", number, is_slip=True)
    if means.code is PaymentMeansCode.GIRO:
        return Account(f"GIRO/{number.lstrip('0')}", number, is_slip=True)
    if parts := _danish(number):
        return Account("DK/{}/{}".format(*parts), grouped(number))
    if is_valid_iban(number):
        return Account(number, grouped(number))
    if re.fullmatch(r"\d{4}", branch) and re.fullmatch(r"\d{1,10}", number):
        return Account(f"DK/{branch}/{number.zfill(10)}", f"{branch} {number}")
    return Account(f"{branch}/{number}", " ".join(filter(None, (branch, number))))


def grouped(iban: str) -> str:
    """``DK50 0040 0440 1162 43``."""
    return " ".join(iban[start : start + 4] for start in range(0, len(iban), 4))


def accounts_of(payment: Iterable[PaymentMeans]) -> tuple[Account, ...]:
    """All of an invoice, each once, in a stable order."""
    found = {one.number: one for one in map(account_of, payment) if one is not None}
    return tuple(found[number] for number in sorted(found))


# --- destinations -----------------------------------------------------------------------------------------------------

_ADDRESSES = frozenset({FieldType.URL, FieldType.EMAIL})


def canonical_address(text: str) -> str:
    """A host, mailbox or URL; of a URL only the machine is the same in any case."""
    text = text.strip()
    try:
        parts = urlsplit(text)
    except ValueError:
        return text.casefold()
    if not parts.netloc:
        return text.casefold()
    return parts._replace(scheme=parts.scheme.lower(), netloc=parts.netloc.casefold()).geturl().rstrip("/")


def addresses(fields: Iterable[Field], config: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """Where a gateway's settings lead to: name and canonical value of each address among them that counts."""
    declared = tuple(fields)
    counts = counting(declared, {**{field.name: field.default for field in declared}, **config})
    found = (
        (field.name, canonical_address(str(config.get(field.name) or field.default or "")))
        for field in declared
        if field.name in counts and not field.secret and (field.is_address or field.type in _ADDRESSES)
    )
    return tuple(sorted((name, value) for name, value in found if value))


# --- amounts ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Unusual:
    """Why an amount waits: above ``limit``, which is ``factor`` times ``normal``, or the ceiling where that is None."""

    limit: Decimal
    normal: Decimal | None = None


def unusual(amount: Decimal, before: Sequence[Decimal], rules: Rules) -> Unusual | None:
    """Whether the amount is far above what the customer was sent before, newest first, in the same currency."""
    amount, known = abs(amount), [abs(one) for one in before[:NORMAL_OF]]
    if rules.ceiling is not None and amount > rules.ceiling:
        return Unusual(rules.ceiling)
    normal = median(known) if len(known) >= FEWEST else Decimal(0)
    limit = normal * rules.factor
    return Unusual(limit, normal) if limit and amount > limit else None


# --- who has typed a value --------------------------------------------------------------------------------------------

#: Shorter and longer texts are choices and notes, not addresses or accounts.
_SHORTEST, _LONGEST = 4, 100
#: Settings that are accounts, however short.
_ACCOUNTS = frozenset({"bankAccount", "iban", "fikCreditor", "giroAccount"})


def atoms_of(value: object, shortest: int = _SHORTEST) -> Iterator[str]:
    """What identifies a typed value, however it was written: of all texts and numbers inside of it."""
    if isinstance(value, Mapping):
        for key, one in value.items():
            yield from atoms_of(one, 1 if key in _ACCOUNTS else _SHORTEST)
    elif isinstance(value, list | tuple | set | frozenset):
        for one in value:
            yield from atoms_of(one)
    elif isinstance(value, str | int | Decimal) and not isinstance(value, bool):
        text = bare(str(value))
        parts = _danish(text)
        text = parts[1] if parts else text
        text = text.lstrip("0") if text.isdigit() else text
        if shortest <= len(text) <= _LONGEST:
            yield text


# --- facts ------------------------------------------------------------------------------------------------------------


def account_fact(adaptor_id: str, account: Account) -> Fact:
    """The adaptor's documents ask for payment to it."""
    subject = "slip" if account.is_slip else "bank"
    return Fact(
        Kind.ACCOUNT,
        adaptor_id,
        account.number,
        account.shown,
        subject,
        frozenset(atoms_of(account.number.split("/")[-1], 1)),
    )


def unknown_account_fact(document_id: str, number: str) -> Fact:
    """The document asks for payment to an account that nobody has noted: it was made before that was done."""
    return Fact(Kind.ACCOUNT, document_id, UNKNOWN, number, UNKNOWN)


def gateway_fact(
    adaptor_id: str, gateway_id: str, name: str, fields: Iterable[Field], config: Mapping[str, Any], *,
    is_test: bool = False, account: str | None = None,
) -> Fact:  # fmt: skip
    """The adaptor's documents leave through a gateway that leads there.

    ``account``: digest of whose account at the partner it is, where that decides (``Gateway.account``). A test gateway is
    another destination: people are careful with the one, and not with the other.
    """
    found = addresses(fields, config)
    environment = ("test",) if is_test else ()
    value = "\x1f".join((gateway_id, *environment, account or "", *(f"{key}={address}" for key, address in found)))
    # Of the account only enough to tell two apart.
    notes = (*(address for _, address in found), *(("#" + account[:8],) if account else ()), *environment)
    shown = f"{name}: {', '.join(notes)}" if notes else name
    return Fact(Kind.GATEWAY, adaptor_id, value, shown, gateway_id, frozenset({gateway_atom(gateway_id, value)}))


def gateway_atom(gateway_id: str, value: str) -> str:
    """Of whoever saved the gateway when it led there."""
    return f"gateway/{gateway_id}/{digest(value)}"


def endpoint_fact(customer_id: str, name: str, address: str) -> Fact:
    """The customer's documents are addressed there."""
    # Settings hold a number with and without its scheme.
    atoms = frozenset(atoms_of((address, address.rpartition(":")[2])))
    return Fact(Kind.ENDPOINT, customer_id, canonical_address(address), address.strip(), atoms=atoms, about=name)


def customer_fact(customer_id: str, name: str) -> Fact:
    """The customer's first invoice."""
    atoms = frozenset({customer_atom(customer_id)})
    return Fact(Kind.CUSTOMER, customer_id, customer_id, name, atoms=atoms, about=name)


def customer_atom(customer_id: str) -> str:
    """Of whoever activated the customer, or approved it where the settings ask for that."""
    return f"customer/{customer_id}"


def amount_fact(document_id: str, name: str, number: str, amount: Decimal, currency: str, found: Unusual) -> Fact:
    """One document's amount; another amount is another fact."""
    known = tuple(f"{value:.2f}" for value in (found.limit, found.normal) if value is not None)
    value, shown = f"{currency} {abs(amount).normalize():f}", f"{number}: {amount:.2f} {currency}"
    return Fact(Kind.AMOUNT, document_id, value, shown, about=name, known=known)
