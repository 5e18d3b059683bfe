"""All effective settings of one document, and the names by which they are stored."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache

from invoiceapp.domain.fields import Field
from invoiceapp.domain.tax import VatCategory

from .customer import CustomerSettings
from .gateway import GatewaySettings
from .general import GeneralSettings
from .supplier import SupplierSettings


@dataclass(frozen=True, slots=True)
class VatChoice:
    """The VAT category that a user gave to one tax rate of the accounting system."""

    category: VatCategory
    exemption_reason: str | None = None
    exemption_code: str | None = None


@dataclass(frozen=True, slots=True)
class Settings:
    """All effective settings for one document."""

    general: GeneralSettings = field(default_factory=GeneralSettings)
    supplier: SupplierSettings = field(default_factory=SupplierSettings)
    customer: CustomerSettings = field(default_factory=CustomerSettings)
    gateway: GatewaySettings = field(default_factory=GatewaySettings)
    vat: Mapping[str, VatChoice] = field(default_factory=dict)
    """By the id of the tax rate"""
    formats: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Options by the id of the output format, as typed; ``formats/base.py`` reads them by what the format declares"""


GROUPS: dict[str, type[GeneralSettings] | type[SupplierSettings] | type[CustomerSettings] | type[GatewaySettings]] = {
    "general": GeneralSettings,
    "supplier": SupplierSettings,
    "customer": CustomerSettings,
    "gateway": GatewaySettings,
}


def camel(name: str) -> str:
    """``fik_creditor`` -> ``fikCreditor``: files and the database use the JSON spelling."""
    head, *rest = name.split("_")
    return head + "".join(part.capitalize() for part in rest)


@cache
def fields_of(group: str) -> tuple[Field, ...]:
    """The declared fields of a group, named as they are stored."""
    return tuple(
        dataclasses.replace(item.metadata["declaration"], name=camel(item.name))
        for item in dataclasses.fields(GROUPS[group])
    )
