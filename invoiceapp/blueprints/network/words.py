"""Matches, routes and look-ups in words."""

from __future__ import annotations

from typing import NamedTuple

from flask_babel import gettext as _
from flask_babel import ngettext

from invoiceapp.domain.identifiers import Participant
from invoiceapp.domain.invoice import DocumentType
from invoiceapp.formatting import in_language, number
from invoiceapp.models import Customer, Lookup, MatchState
from invoiceapp.services.configuration import rules
from invoiceapp.services.reach import looking_back, names, routes
from invoiceapp.services.reach.accepting import UNSURE
from invoiceapp.services.reach.lookups import Outcome
from invoiceapp.services.reach.matching import Report
from invoiceapp.services.reach.queries import Row
from invoiceapp.services.reach.routes import Route, RouteKind

#: From here on nobody needs to look.
_SURE = 90


class Look(NamedTuple):
    """A badge: words, a Tabler colour and an icon of the sprite."""

    label: str
    colour: str
    icon: str


def state_look(state: MatchState) -> Look:
    """What the last look-up of a customer found."""
    return {
        MatchState.UNCHECKED: Look(_("Not looked up"), "secondary", "circle-dashed"),
        MatchState.FOUND: Look(_("Found"), "green", "check"),
        MatchState.CHANGED: Look(_("Changed"), "orange", "refresh"),
        MatchState.VANISHED: Look(_("No longer registered"), "red", "circle-x"),
        MatchState.NOT_FOUND: Look(_("Not found"), "secondary", "user-off"),
        MatchState.SEVERAL: Look(_("Choose the address"), "orange", "help-circle"),
        MatchState.ERROR: Look(_("Could not be looked up"), "orange", "wifi-off"),
    }[state]


def shows() -> list[tuple[str, str]]:
    """What the list can be narrowed to, each with its words."""
    return [
        ("all", _("All")), ("new", _("New")), ("found", _("Found")), ("changed", _("Changed")),
        ("vanished", _("No longer registered")), ("several", _("Choose the address")), ("not_found", _("Not found")),
        ("error", _("Could not be looked up")), ("accepted", _("Accepted")), ("unchecked", _("Not looked up")),
    ]  # fmt: skip


def sureness(confidence: int) -> Look:
    """How sure it is that the one who is registered is the customer."""
    if confidence >= _SURE:
        return Look(_("Sure (%(number)s of 100)", number=confidence), "green", "checks")
    if confidence >= UNSURE:
        return Look(_("Fairly sure (%(number)s of 100)", number=confidence), "teal", "check")
    return Look(_("Unsure (%(number)s of 100)", number=confidence), "orange", "alert-triangle")


def naming(mine: str, theirs: str | None) -> Look | None:
    """Where the register calls the customer something else than the books do; None where it is the same name."""
    if theirs is None or names.plain(mine) == names.plain(theirs):
        return None
    if names.similarity(mine, theirs) < names.ALIKE:
        return Look(_("Another name"), "orange", "alert-triangle")
    return Look(_("Spelled otherwise"), "secondary", "pencil")


def kind_label(kind: RouteKind) -> str:
    """What a way is called."""
    labels = {
        RouteKind.NEMHANDEL: "NemHandel", RouteKind.PEPPOL: "Peppol", RouteKind.AGREED: _("By agreement"),
        RouteKind.LOCAL: _("Uses this system too"), RouteKind.EMAIL: _("E-mail"),
    }  # fmt: skip
    return str(labels[kind])


def shown(participant: Participant | str) -> str:
    """``GLN/EAN 5790000000000``."""
    found = participant if isinstance(participant, Participant) else routes.participant_of(participant)
    return routes.shown(found) if found else str(participant)


def format_label(format_id: str) -> str:
    """Of a format, or its id where this installation does not have it any more."""
    return in_language(dict(rules.format_choices()).get(format_id, format_id))


def taken(route: Route) -> str:
    """What the receiver takes by one way: ``NemHandel: OIOUBL 2.1``, and what of it is missing."""
    words = f"{kind_label(route.kind)}: {format_label(route.format)}"
    types = set(route.document_types)
    missing = ""
    if DocumentType.CREDIT_NOTE.value not in types:
        missing = _("no credit notes")
    elif DocumentType.INVOICE.value not in types:
        missing = _("no invoices, only credit notes")
    return f"{words} ({missing})" if missing else words


def before(row: Row) -> str | None:
    """What was accepted, of a customer that is found by another way now."""
    if row.state is not MatchState.CHANGED or row.match is None or not row.match.accepted:
        return None
    route = Route.from_dict(row.match.accepted)
    address = f", {shown(route.participant)}" if route.participant else ""
    return str(_("Accepted was: %(way)s", way=taken(route) + address))


def waits(row: Row) -> bool:
    """Whether the network gateway finds no way that a person has said yes to: documents wait for that."""
    if row.state in (MatchState.VANISHED, MatchState.SEVERAL, MatchState.NOT_FOUND):
        return True
    accepted = row.match.accepted if row.match and row.state is MatchState.CHANGED else None
    if not accepted:
        return False
    address = Route.from_dict(accepted).participant
    return address is not None and address not in {route.participant for route in row.routes if route.is_found}


def registered_as(customer: Customer) -> str:
    """``CVR 12345678``; a foreign number after its country, which many have in front already."""
    written, country = customer.registration_no or "", customer.country or "DK"
    if country == "DK":
        return f"CVR {written}"
    return written if written.upper().startswith(country.upper()) else f"{country} {written}"


def register_label(name: str) -> str:
    """Who was asked."""
    return {
        "nemhandelsregisteret": "NemHandelsregisteret", "nemhandel-smp": "NemHandel (SMP)", "peppol-smp": "Peppol (SMP)",
        "peppol-directory": "Peppol Directory",
    }.get(name, name)  # fmt: skip


def asked(lookup: Lookup) -> str:
    """What was asked for: an address, a company or a name."""
    address, _blank, service = lookup.question.partition(" ")
    participant = routes.participant_of(address) if ":" in address else None
    if participant is not None:
        return routes.shown(participant) + (" · " + _("where the documents are taken") if service else "")
    if lookup.question.isdecimal():
        return str(_("CVR %(number)s, all addresses of the company", number=lookup.question))
    return str(_("the name “%(name)s”", name=lookup.question))


def outcome_look(lookup: Lookup) -> Look:
    """What the register said."""
    return {
        Outcome.REGISTERED.value: Look(_("Registered"), "green", "check"),
        Outcome.NOT_REGISTERED.value: Look(_("Not registered"), "secondary", "user-off"),
        Outcome.COULD_NOT_ASK.value: Look(_("Could not be asked"), "orange", "wifi-off"),
    }.get(lookup.outcome, Look(lookup.outcome, "secondary", "help-circle"))


def told(report: Report) -> list[str]:
    """What a look-up of many customers found, a sentence for each."""
    counted = [
        (report.found, ngettext("%(shown)s can be reached.", "%(shown)s can be reached.", report.found, shown=number(report.found))),
        (report.several, ngettext(
            "%(shown)s has several addresses: choose the right one.", "%(shown)s have several addresses: choose the right one.",
            report.several, shown=number(report.several),
        )),
        (report.not_found, ngettext(
            "%(shown)s is not registered.", "%(shown)s are not registered.", report.not_found, shown=number(report.not_found)
        )),
        (report.errors, ngettext(
            "%(shown)s could not be looked up, because a register did not answer. Try again later.",
            "%(shown)s could not be looked up, because a register did not answer. Try again later.",
            report.errors, shown=number(report.errors),
        )),
    ]  # fmt: skip
    return [words for count, words in counted if count]


def night_words(adaptor_id: str) -> str | None:
    """What the last nightly look-up changed; None where a person need not look."""
    night = looking_back.last_night(adaptor_id)
    return of_last_night(night.report) if night is not None and night.report.tells else None


def of_last_night(report: Report) -> str:
    """What is other than the day before, in one line."""
    parts = [
        (report.new, ngettext("%(shown)s can be reached now", "%(shown)s can be reached now", report.new, shown=number(report.new))),
        (report.changed, ngettext("%(shown)s changed", "%(shown)s changed", report.changed, shown=number(report.changed))),
        (report.vanished, ngettext(
            "%(shown)s is no longer registered", "%(shown)s are no longer registered", report.vanished,
            shown=number(report.vanished),
        )),
        (report.errors, ngettext(
            "%(shown)s could not be looked up", "%(shown)s could not be looked up", report.errors, shown=number(report.errors)
        )),
    ]  # fmt: skip
    said = [words for count, words in parts if count]
    return ", ".join(said) + "." if said else str(_("nothing has changed."))
