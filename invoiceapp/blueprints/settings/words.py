"""What changed in settings, in words."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from flask_babel import gettext as _

from invoiceapp.blueprints.declared import as_text, section_title
from invoiceapp.domain.fields import Field, FieldType
from invoiceapp.domain.findings import Text
from invoiceapp.domain.settings import GROUPS
from invoiceapp.formatting import in_language
from invoiceapp.models import Adaptor
from invoiceapp.services.configuration import gateways, vat
from invoiceapp.services.configuration.changes import Difference
from invoiceapp.services.configuration.settings import FORMATS, RULE, SECTIONS, Place, declared, places
from invoiceapp.services.export.queries import format_label


@dataclass(frozen=True, slots=True)
class Words:
    """One change: of what, from what, to what; "" where there was no own value or is none any more."""

    what: str
    before: str
    after: str
    unset: str
    """What to say where there is none"""


def describer(adaptor: Adaptor) -> Callable[[Iterable[Difference], bool], list[Words]]:
    """Makes words of changes, of common settings or of one customer's; names are looked up once."""
    named = {row.id: row.name for row in gateways.of_subscription(adaptor.subscription_id)}
    rates = {rate.id: rate.name for rate in vat.rates(adaptor)}

    common = places(adaptor.settings)

    def one(item: Difference, is_customers: bool) -> Words:
        what, text = _look(item.place, named, rates)
        is_default = _has_default(item.place) and not (is_customers and item.place in common)
        return Words(what, text(item.before), text(item.after), str(_("default") if is_default else _("inherited")))

    return lambda found, is_customers: [one(item, is_customers) for item in found]


def in_words(subscription_id: str, values: Mapping[Place, Any]) -> list[tuple[str, str]]:
    """Name and value of settings that belong to no adaptor, in a stable order."""
    named = {row.id: row.name for row in gateways.of_subscription(subscription_id)}
    looks = [(_look(at, named, {}), value) for at, value in sorted(values.items())]
    return [(what, text(value)) for (what, text), value in looks]


def _has_default(at: Place) -> bool:
    """Whether a value is built in, so that one that is not set comes from nowhere else but the common settings."""
    return at[0] not in (RULE, "vat") and _field(at).default not in (None, "")


def _look(at: Place, named: Mapping[str, str], rates: Mapping[str, str]) -> tuple[str, Callable[[Any], str]]:
    """The name of a setting, and how its values are written."""
    if at == (RULE, "format"):
        return section_title("format"), lambda value: in_language(format_label(value)) if value else ""
    if at == (RULE, "gateway"):
        return section_title("gateway"), lambda value: named.get(value, str(_("a gateway that was deleted")))
    if at[0] == "vat":
        return str(_("VAT category of %(rate)s", rate=rates.get(at[1], at[1]))), _category
    field = _field(at)
    group = section_title(at[0]) if at[0] in SECTIONS else in_language(format_label(at[1]))
    return f"{group}: {in_language(field.label)}", lambda value: as_text(field, value)


def _field(at: Place) -> Field:
    """The declared field of a place; an older one goes by its own name."""
    group, name = (FORMATS + at[1] if at[0] == "formats" else at[0]), at[-1]
    try:
        known = {one.name: one for one in (declared(group) if group in GROUPS or group.startswith(FORMATS) else ())}
    except KeyError:
        known = {}
    return known.get(name) or Field(name, Text(name, name), FieldType.TEXT)


def _category(value: Any) -> str:
    if not isinstance(value, Mapping):
        return ""
    labels = {item.code.value: in_language(item.name) for item in vat.CATEGORIES}
    code, reason = str(value.get("category")), value.get("exemptionReason")
    return f"{labels.get(code, code)} ({reason})" if reason else labels.get(code, code)
