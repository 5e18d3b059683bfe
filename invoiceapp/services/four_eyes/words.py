"""Four eyes in words: what waits, who asked for it, and what became of it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal, InvalidOperation
from zoneinfo import ZoneInfo

from babel import dates, numbers

from invoiceapp.domain.findings import Finding, Text, Turn, fatal
from invoiceapp.domain.four_eyes import UNKNOWN, Kind
from invoiceapp.models import Approval, ApprovalState, User

#: Rules that pages and services know by name.
RULE = "IA-FOUR-EYES"
_COPENHAGEN = ZoneInfo("Europe/Copenhagen")

_MUST = Text("en anden person skal godkende, før det sendes", "another person must approve before it is sent")


def title(row: Approval) -> Text:
    """``Ny bankkonto DK50 …``."""
    shown, about = row.shown, row.about
    if row.is_baseline:
        return _in_use(row)
    match row.kind:
        case Kind.ACCOUNT if row.subject == UNKNOWN:
            return Text(
                f"Ukendt konto i dokument {shown}, som er dannet før konti blev noteret",
                f"Unknown account in document {shown}, which was made before accounts were noted",
            )
        case Kind.ACCOUNT if row.subject == "slip":
            return Text(f"Nyt FIK- eller gironummer {shown}", f"New FIK or giro number {shown}")
        case Kind.ACCOUNT:
            return Text(f"Ny bankkonto {shown}", f"New bank account {shown}")
        case Kind.GATEWAY:
            return Text(f"Ny destination for gatewayen {shown}", f"New destination of the gateway {shown}")
        case Kind.ENDPOINT:
            return Text(f"Ny modtageradresse {shown} for {about}", f"New address of receiver {shown} for {about}")
        case Kind.CUSTOMER:
            return Text(f"Første faktura til {shown}", f"First invoice to {shown}")
        case Kind.AMOUNT:
            said = _amount(shown)
            return Text(
                f"Usædvanligt stort beløb til {about}, {said.da}", f"Unusually large amount to {about}, {said.en}"
            )


def _in_use(row: Approval) -> Text:
    """Of what nobody has decided: it was there before."""
    match row.kind:
        case Kind.GATEWAY:
            return Text(f"Destination for gatewayen {row.shown}", f"Destination of the gateway {row.shown}")
        case Kind.ENDPOINT:
            return Text(
                f"Modtageradresse {row.shown} for {row.about}", f"Address of receiver {row.shown} for {row.about}"
            )
        case _ if row.subject == "slip":
            return Text(f"FIK- eller gironummer {row.shown}", f"FIK or giro number {row.shown}")
        case _:
            return Text(f"Bankkonto {row.shown}", f"Bank account {row.shown}")


def _amount(shown: str) -> Text:
    """``Approval.shown`` of an amount, ``1001: 1615.00 DKK``, as people write it."""
    number, _colon, rest = shown.rpartition(": ")
    digits, _blank, currency = rest.partition(" ")
    try:
        said = money(Decimal(digits))
    except InvalidOperation:
        return Text(shown, shown)
    return Text(f"{number}: {said.da} {currency}", f"{number}: {said.en} {currency}")


def money(value: Decimal) -> Text:
    """``1.615,00``."""
    return Text(*(numbers.format_decimal(value, "#,##0.00", locale=locale) for locale in ("da_DK", "en_GB")))


def finding(row: Approval, authors: Sequence[User]) -> Finding:
    """Why a document stays."""
    what, why = title(row), _why(row, authors)
    return fatal(RULE, f"{what.da}: {why.da}", f"{what.en}: {why.en}", turn=Turn.HERE, fix=fix(row))


def fix(row: Approval) -> str:
    """``Finding.fix`` of what it stops: one problem for each value."""
    return f"approvals.{row.id}"


def _why(row: Approval, authors: Sequence[User]) -> Text:
    by, when = row.decided_by.email if row.decided_by else "", moment(row.decided_at)
    note = f" »{row.note}«" if row.note else ""
    if row.state is ApprovalState.REFUSED:
        return Text(
            f"afvist af {by} {when.da}, så det sendes ikke.{note} Annullér dokumenterne, eller tag sagen op igen under Godkendelser.",
            f"refused by {by} {when.en}, so it is not sent.{note} Cancel the documents, or take it up again under Approvals.",
        )
    if row.state is ApprovalState.WITHDRAWN:
        return Text(
            f"{by} trak godkendelsen tilbage {when.da}, så {_MUST.da}.{note}",
            f"{by} withdrew the approval {when.en}, so {_MUST.en}.{note}",
        )
    asked = asked_by(row, authors)
    return Text(f"{_MUST.da}. {asked.da}", f"{_MUST.en}. {asked.en}")


def asked_by(row: Approval, authors: Sequence[User]) -> Text:
    """Who has asked for it, or where it comes from."""
    when = moment(row.created_at)
    if authors:
        names = ", ".join(author.email for author in authors)
        return Text(f"Bedt om af {names}; set {when.da}.", f"Asked for by {names}; seen {when.en}.")
    return Text(
        f"Ingen har skrevet det her; det kommer fra regnskabet eller en konfigurationsfil. Set {when.da}.",
        f"Nobody has typed it here; it comes from the books or a configuration file. Seen {when.en}.",
    )


def moment(at: datetime | None) -> Text:
    """``den 23. nov. 2026 kl. 12.05``; empty for None."""
    if at is None:
        return Text("", "")
    local = at.astimezone(_COPENHAGEN)
    danish, english = (dates.format_date(local, "medium", locale=locale) for locale in ("da_DK", "en_GB"))
    return Text(f"den {danish} kl. {local:%H.%M}", f"on {english} at {local:%H:%M}")
