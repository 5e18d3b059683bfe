"""The file's content as entries: everything that can be judged without the database has been."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from invoiceapp.domain.fields import Field, FieldType, counting
from invoiceapp.domain.findings import Text
from invoiceapp.formats.base import registry as formats
from invoiceapp.gateways.base import registry as transports
from invoiceapp.models import Environment, NewCustomers
from invoiceapp.services.configuration.settings import Place
from invoiceapp.sources.base import registry as sources

from .problems import Problems
from .reading import Node
from .references import Secret, secrets_in
from .schedules import ScheduleEntry, schedules_in
from .sections import Section
from .values import rates_in, settings_in, stored_form, vat_in

VERSION = "1"
_ENVIRONMENTS = tuple((item.value, Text(item.value, item.value)) for item in Environment)
_NEW_CUSTOMERS = tuple((item.value, Text(item.value, item.value)) for item in NewCustomers)


def _field(name: str, type: FieldType = FieldType.TEXT, **declared: Any) -> Field:
    return Field(name, Text(name, name), type, **declared)


_NAME = _field("name", FieldType.MULTILINE)
_KIND = _field("kind")
_ID = _field("id")
_ENVIRONMENT = _field("environment", FieldType.CHOICE, required=True, choices=_ENVIRONMENTS)
_ACTIVE = _field("active", FieldType.BOOLEAN, required=True)
_ADAPTOR_FIELDS = (
    _field("description", FieldType.MULTILINE), _ENVIRONMENT, _ACTIVE,
    _field("newCustomers", FieldType.CHOICE, required=True, choices=_NEW_CUSTOMERS),
    _field("startDate"),
)  # fmt: skip
_CUSTOMER_FIELDS = (
    _ACTIVE, _field("format"), _field("gateway", FieldType.MULTILINE), _field("approved", FieldType.BOOLEAN, required=True),
)  # fmt: skip
_GATEWAY_KEYS = ("name", "kind", "environment", "config", "secrets")
_ADAPTOR_KEYS = (
    "name", "description", "source", "environment", "active", "defaults", "newCustomers", "startDate", "schedule", "schedules",
    "settings",    "vat", "customers",
)  # fmt: skip
_CUSTOMER_KEYS = ("id", "name", "number", "active", "format", "gateway", "settings", "vat", "approved")


@dataclass(frozen=True, slots=True)
class Connection:
    """How a gateway or a source is reached."""

    section: Section
    fields: tuple[Field, ...]
    config: dict[str, Any] | None
    """Parsed values of the fields that are no secrets, with their defaults; None: leave them as they are"""
    secrets: dict[str, Secret]


@dataclass(frozen=True, slots=True)
class GatewayEntry:
    """One gateway of the file."""

    section: Section
    name: str
    kind: str
    environment: Environment | None
    connection: Connection


@dataclass(frozen=True, slots=True)
class CustomerEntry:
    """One customer of the file. ``columns`` has what the file says: active, format, gateway (by name), approved."""

    section: Section
    source_id: str
    name: str
    number: str | None
    columns: dict[str, Any]
    settings: dict[Place, Any] | None
    vat: dict[str, dict[str, Any]] | None


@dataclass(frozen=True, slots=True)
class AdaptorEntry:
    """One adaptor of the file. ``columns`` has what the file says, by the names of the model's columns."""

    section: Section
    name: str
    kind: str
    connection: Connection
    company: dict[str, Any] | None
    columns: dict[str, Any]
    default_gateway: str | None
    """By name; only where ``columns`` has ``default_gateway``"""
    schedules: list[ScheduleEntry] | None
    settings: dict[Place, Any] | None
    vat: dict[str, dict[str, Any]] | None
    rates: list[dict[str, Any]]
    """What the file says of the company's tax rates, as ``Adaptor.organization`` keeps them"""
    customers: list[CustomerEntry] | None


@dataclass(frozen=True, slots=True)
class Document:
    """The whole file. None stands for what the file does not speak of."""

    root: Section
    subscription: str | None
    gateways: list[GatewayEntry] = field(default_factory=list)
    adaptors: list[AdaptorEntry] = field(default_factory=list)


def document_in(node: Node, problems: Problems) -> Document:
    """The entries of a file. Raises ``ConfigurationInvalid`` for another version of the file's form."""
    root = Section(node, "", problems)
    root.only(("version", "subscription", "gateways", "adaptors"))
    version = root.required(_field("version"))
    if version is not None and version != VERSION:
        root.complain(Text(f"Kun version {VERSION} kan læses.", f"Only version {VERSION} can be read."), "version")
        problems.settle()
    subscription = root.given([_field("subscription", FieldType.MULTILINE)]).get("subscription")
    gateways = [_gateway(item) for item in root.items("gateways") or ()]
    adaptors = [_adaptor(item) for item in root.items("adaptors") or ()]
    return Document(
        root, subscription, _unique([item for item in gateways if item]), _unique([item for item in adaptors if item])
    )


def _unique(entries: list[Any], by: str = "name") -> list[Any]:
    """The entries; complains of names and ids that are there twice."""
    seen: dict[str, Any] = {}
    for entry in entries:
        if getattr(entry, by) in seen:
            entry.section.complain(
                Text("Den står der to gange.", "It is there twice."), "id" if by == "source_id" else by
            )
        seen.setdefault(getattr(entry, by), entry)
    return list(seen.values())


def _within(section: Section, name: str, text: str | None, longest: int) -> str | None:
    """The text, or None after a complaint: PostgreSQL refuses what is longer than its column."""
    if text is not None and len(text) > longest:
        section.complain(Text(f"Skriv højst {longest} tegn.", f"Write at most {longest} characters."), name)
        return None
    return text


def _named(section: Section, what: str) -> tuple[Section, str | None]:
    """The entry's name, and the section that tells it with its problems."""
    name = _within(section, "name", section.required(_NAME), 200)
    return section.named(f"{what} {name}") if name else section, name


def _kind(section: Section, known: Mapping[str, Any]) -> Any:
    """The code behind a kind; None after a complaint."""
    kind = section.required(_KIND)
    if kind is not None and kind not in known:
        names = ", ".join(sorted(known))
        section.complain(Text(f"Ukendt. Kendte: {names}.", f"Unknown. Known are: {names}."), "kind")
    return known.get(kind) if kind else None


def _connection(section: Section, fields: tuple[Field, ...], *, whole: bool) -> Connection:
    """``whole``: required fields that count must be there."""
    open_fields = [item for item in fields if not item.secret]
    config = section.section("config")
    values: dict[str, Any] | None = None
    if config is not None:
        for item in fields:
            if item.secret and item.name in config.entries:
                secret = Text("Hører til under »secrets«, som henvisning.", "Belongs under “secrets”, as a reference.")
                config.complain(secret, item.name)
        config.only([item.name for item in fields])
        given = {name: stored_form(value) for name, value in config.given(open_fields).items()}
        values = {item.name: item.default if given.get(item.name) is None else given[item.name] for item in open_fields}
    if whole:
        counts = counting(fields, values or {item.name: item.default for item in open_fields})
        _complain_of_missing(section, config, [item for item in open_fields if item.name in counts])
    return Connection(section, fields, values, secrets_in(section.section("secrets"), fields))


def _complain_of_missing(section: Section, config: Section | None, fields: Iterable[Field]) -> None:
    for item in fields:
        # What has a default may be left out: an export does.
        if item.required and item.default is None and item.name not in (config.entries if config else ()):
            missing = Text(f"»{item.name}« ({item.label.da}) mangler.", f"“{item.name}” ({item.label.en}) is missing.")
            (config or section).complain(missing)


def _gateway(section: Section) -> GatewayEntry | None:
    section, name = _named(section, "gateway")
    section.only(_GATEWAY_KEYS)
    transport = _kind(section, transports())
    environment = section.given([_ENVIRONMENT]).get("environment")
    if name is None or transport is None:
        return None
    connection = _connection(section, transport.fields, whole=True)
    return GatewayEntry(
        section, name, transport.kind, Environment(environment) if environment else None, connection
    )  # fmt: skip


def _adaptor(section: Section) -> AdaptorEntry | None:
    section, name = _named(section, "adaptor")
    section.only(_ADAPTOR_KEYS)
    source = section.section("source")
    if "source" not in section.entries:
        section.complain(Text("»source« mangler.", "“source” is missing."))
    if source is not None:
        source.only(("kind", "config", "secrets", "company"))
    kind = _kind(source, sources()) if source else None
    columns, default_gateway = _columns(section)
    vat, customers = section.section("vat"), section.items("customers")
    settings = section.section("settings")
    content: dict[str, Any] = {
        "schedules": schedules_in(section),
        "settings": None if settings is None else settings_in(settings, common=True),
        "vat": None if vat is None else vat_in(vat),
        "rates": [] if vat is None else rates_in(vat),
        "customers": None
        if customers is None
        else _unique([entry for item in customers if (entry := _customer(item))], "source_id"),
    }
    # Only now: what is wrong with the rest is told too.
    if name is None or source is None or kind is None:
        return None
    connection = _connection(source, kind.fields, whole=False)
    company = _company(source.section("company"))
    return AdaptorEntry(section, name, kind.kind, connection, company, columns, default_gateway, **content)


def _columns(section: Section) -> tuple[dict[str, Any], str | None]:
    """What the file says of an adaptor, by column; and the name of its default gateway."""
    given = section.given(_ADAPTOR_FIELDS)
    columns: dict[str, Any] = {name: given[name] for name in ("active",) if name in given}
    description = _within(section, "description", given.get("description") or "", 2000)
    if "description" in given and description is not None:
        columns["description"] = description
    if given.get("environment"):
        columns["environment"] = Environment(given["environment"])
    if given.get("newCustomers"):
        columns["new_customers"] = NewCustomers(given["newCustomers"])
    if "startDate" in given:
        columns["start_date"] = _day(section, given["startDate"])
    defaults = section.section("defaults")
    if defaults is None:
        return columns, None
    defaults.only(("format", "gateway"))
    chosen = defaults.given(_CUSTOMER_FIELDS[1:3])
    if "format" in chosen:
        columns["default_format"] = known_format(defaults, chosen["format"])
    if "gateway" in chosen:
        columns["default_gateway"] = chosen["gateway"]
    return columns, chosen.get("gateway")


def _day(section: Section, text: str | None) -> date | None:
    try:
        if text and re.fullmatch(r"\d{4}-\d{2}-\d{2}", text, re.ASCII):
            return date.fromisoformat(text)
        if not text:
            return None
    except ValueError:
        pass
    section.complain(Text("Skriv en dato, f.eks. 2026-11-01.", "Write a date, for example 2026-11-01."), "startDate")
    return None


def known_format(section: Section, format_id: str | None) -> str | None:
    """The id, or None after a complaint."""
    if format_id is not None and format_id not in formats():
        names = ", ".join(sorted(formats()))
        section.complain(Text(f"Ukendt format. Kendte: {names}.", f"Unknown format. Known are: {names}."), "format")
        return None
    return format_id


def _company(section: Section | None) -> dict[str, Any] | None:
    """As ``Adaptor.organization`` keeps it."""
    if section is None:
        return None
    section.only(("id", "name", "registrationNo"))
    given = section.given((_NAME, _field("registrationNo", FieldType.MULTILINE)))
    return {
        "id": section.required(_ID), "name": given.get("name"), "registration_no": given.get("registrationNo")
    }  # fmt: skip


def _customer(section: Section) -> CustomerEntry | None:
    source_id = _within(section, "id", section.required(_ID), 64)
    if source_id is None:
        return None
    section = section.named(", ".join(part for part in (section.who, f"customer {source_id}") if part))
    section.only(_CUSTOMER_KEYS)
    given = section.given((_NAME, _field("number", FieldType.MULTILINE)))
    columns = section.given(_CUSTOMER_FIELDS)
    if columns.get("format") is not None:
        columns["format"] = known_format(section, columns["format"])
    settings, vat = section.section("settings"), section.section("vat")
    return CustomerEntry(
        section, source_id, _within(section, "name", given.get("name"), 500) or source_id,
        _within(section, "number", given.get("number"), 100), columns, None if settings is None else settings_in(settings),
        None if vat is None else vat_in(vat),
    )  # fmt: skip
