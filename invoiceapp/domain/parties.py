"""Seller, buyer and the addresses they have (BG-4 … BG-15)."""

from __future__ import annotations

from dataclasses import dataclass, field

from .identifiers import GLN, Participant


@dataclass(frozen=True, slots=True)
class Address:
    """Postal address (BG-5, BG-8, BG-15)."""

    street: str | None = None
    """BT-35, BT-50, BT-75"""
    additional: str | None = None
    """BT-36, BT-51, BT-76"""
    city: str | None = None
    """BT-37, BT-52, BT-77"""
    postal_code: str | None = None
    """BT-38, BT-53, BT-78"""
    subdivision: str | None = None
    """BT-39, BT-54, BT-79"""
    country: str | None = None
    """ISO 3166-1 alpha-2 (BT-40, BT-55, BT-80)"""


@dataclass(frozen=True, slots=True)
class Contact:
    """Contact point (BG-6, BG-9)."""

    id: str | None = None
    """The person reference that OIOUBL demands of the buyer (F-INV051)."""
    name: str | None = None
    """BT-41, BT-56"""
    phone: str | None = None
    """BT-42, BT-57"""
    email: str | None = None
    """BT-43, BT-58"""

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to write."""
        return not (self.id or self.name or self.phone or self.email)


@dataclass(frozen=True, slots=True)
class Party:
    """Seller (BG-4) or buyer (BG-7)."""

    name: str
    """BT-27, BT-44"""
    endpoint: Participant | None = None
    """BT-34, BT-49"""
    trading_name: str | None = None
    """BT-28, BT-45"""
    legal_id: str | None = None
    """BT-30, BT-47; for Danes the 8 digits of the CVR number"""
    legal_scheme: str | None = None
    """ISO 6523 scheme of ``legal_id``; ``0184`` for CVR"""
    vat_id: str | None = None
    """BT-31, BT-48, with country prefix"""
    address: Address = field(default_factory=Address)
    contact: Contact = field(default_factory=Contact)
    identifiers: tuple[Participant, ...] = ()
    """Other numbers of the party, mostly its GLN (BT-29, BT-46)"""
    legal_form: str | None = None
    """Share capital and the like (BT-33); of the seller only"""

    @property
    def is_danish(self) -> bool:
        """Whether the Danish rules (DK-R-*) look at this party."""
        return self.address.country == "DK"

    @property
    def gln(self) -> str | None:
        """The party's GLN, from its electronic address or its other numbers."""
        numbers = ((self.endpoint,) if self.endpoint else ()) + self.identifiers
        return next((number.value for number in numbers if number.scheme == GLN), None)


@dataclass(frozen=True, slots=True)
class Payee:
    """Who is to be paid instead of the seller (BG-10)."""

    name: str
    """BT-59"""
    legal_id: str | None = None
    """BT-61; the 8 digits of a CVR number"""
