"""The forms of an adaptor as their pages show them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from invoiceapp.blueprints.declared import as_text, raw_values, typed_values
from invoiceapp.domain.fields import Field, FieldType
from invoiceapp.domain.findings import Text
from invoiceapp.formatting import in_language
from invoiceapp.models import Adaptor, Gateway, NewCustomers
from invoiceapp.services.configuration import environments, gateways, general, rules
from invoiceapp.services.people import usable

#: Before the kind, where the destination is a gateway that is still to be made.
NEW = "new:"
_NAME = Field(
    "name", Text("Navn", "Name"), required=True,
    help=Text("Med flere virksomheder: virksomhedens navn.", "With several companies: the name of the company."),
)  # fmt: skip
_ENVIRONMENT = environments.field(
    Text(
        "I test sendes kun gennem gateways, der også er i test: intet når en rigtig modtager.",
        "In test, documents leave only through gateways that are in test too: nothing reaches a real receiver.",
    )
)
_FORMAT = Field(
    "format", Text("Outputformat", "Output format"), FieldType.CHOICE,
    help=Text("Foreslås, når kunder aktiveres. Hver kunde kan få et andet.", "Proposed when customers are activated. Each customer can get another."),
)  # fmt: skip
_GATEWAY = Field(
    "gateway", Text("Destination (gateway)", "Destination (gateway)"), FieldType.CHOICE,
    help=Text("Foreslås, når kunder aktiveres. Hver kunde kan få en anden.", "Proposed when customers are activated. Each customer can get another."),
)  # fmt: skip
_START_DATE = Field(
    "start_date", Text("Tidligste dokumentdato", "Earliest document date"),
    help=Text(
        "Dokumenter med en tidligere dato sendes aldrig, så gamle fakturaer ikke bliver sendt en gang til.",
        "Documents dated earlier are never sent, so that old invoices do not leave twice.",
    ),
)  # fmt: skip
_ABOUT = (
    _NAME,
    Field("description", Text("Beskrivelse", "Description"), FieldType.MULTILINE),
    _ENVIRONMENT,
    Field(
        "new_customers", Text("Nye kunder i regnskabet", "New customers in the books"), FieldType.CHOICE, required=True,
        choices=(
            (NewCustomers.ASK.value, Text("Spørg: vis dem som nye, indtil en person har valgt", "Ask: list them as new until a person decides")),
            (NewCustomers.ACTIVATE.value, Text("Aktivér dem med standardformat og standardgateway", "Activate them with the default format and gateway")),
            (NewCustomers.IGNORE.value, Text("Gør ingenting", "Do nothing")),
        ),
    ),
)  # fmt: skip


def _gateway_text(gateway: Gateway) -> Text:
    """Its name, with the environment where that is not the usual one: names alone are easily mixed up."""
    label = dict(environments.CHOICES)[gateway.environment.value]
    return Text(f"{gateway.name} ({label.da})", f"{gateway.name} ({label.en})")


def _existing(adaptor: Adaptor | None = None) -> tuple[tuple[str, Text], ...]:
    return tuple((row.id, _gateway_text(row)) for row in usable.gateways(adaptor))


def _to_make() -> tuple[tuple[str, Text], ...]:
    return tuple(
        (NEW + kind, Text(f"Opret ny: {transport.label.da}", f"Make a new one: {transport.label.en}"))
        for kind, transport in gateways.kinds().items()
    )


def activation_fields() -> tuple[Field, ...]:
    """What is asked for when an adaptor is activated."""
    return (
        _NAME,
        _ENVIRONMENT,
        replace(_GATEWAY, choices=_existing() + _to_make()),
        replace(_FORMAT, choices=tuple(rules.format_choices())),
    )


def destination(chosen: str) -> tuple[str, str]:
    """The gateway that was chosen, and the kind of one that is still to be made; one of both is empty."""
    return ("", chosen.removeprefix(NEW)) if chosen.startswith(NEW) else (chosen, "")


def about_fields() -> tuple[Field, ...]:
    """The first part of the general page."""
    return _ABOUT


def default_fields(adaptor: Adaptor) -> tuple[Field, ...]:
    """The second part of the general page."""
    return (
        replace(_FORMAT, name="default_format", label=Text("Standardformat", "Default format"), choices=tuple(rules.format_choices())),
        replace(_GATEWAY, name="default_gateway", label=Text("Standardgateway", "Default gateway"), choices=_existing(adaptor)),
    )  # fmt: skip


def _own_fields(adaptor: Adaptor) -> tuple[Field, ...]:
    return (*about_fields(), *default_fields(adaptor), _START_DATE)


def raw_general(adaptor: Adaptor, form: Mapping[str, str]) -> dict[str, str]:
    """What was typed on the general page, by the name of its input."""
    prefix = f"{general.GROUP}."
    return raw_values(_own_fields(adaptor), form) | raw_values(general.fields(), form, prefix)


def general_context(
    adaptor: Adaptor, typed: Mapping[str, str] | None = None, errors: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """The general page with what is stored, or with what was ``typed``. ``errors`` by the name of the input."""
    prefix, stored = f"{general.GROUP}.", general.values(adaptor)
    settings = {field.name: stored[prefix + field.name] for field in general.fields()}
    if typed is not None:
        stored = {**stored, **typed_values(_own_fields(adaptor), typed)}
        settings = typed_values(general.fields(), typed, prefix)
    wrong = errors or {}
    shown = [*_own_fields(adaptor), *(replace(field, name=prefix + field.name) for field in general.fields())]
    return {
        "about": about_fields(),
        "defaults": default_fields(adaptor),
        "start_date": _START_DATE,
        "settings": general.fields(),
        "values": stored,
        "setting_values": settings,
        "inherited": {field.name: as_text(field, field.default) for field in general.fields()},
        "errors": wrong,
        "setting_errors": {name.removeprefix(prefix): text for name, text in wrong.items() if name.startswith(prefix)},
        "found": [(f"field-{field.name}", wrong[field.name]) for field in shown if field.name in wrong],
    }


def environment_text(value: str) -> str:
    """Test or live in words."""
    return in_language(dict(environments.CHOICES)[value])
