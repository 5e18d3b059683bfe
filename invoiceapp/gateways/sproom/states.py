"""Sproom's words for the state of a document, and its names for schemes of participants."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from invoiceapp.domain import identifiers
from invoiceapp.domain.findings import Text
from invoiceapp.gateways.base import Verdict
from invoiceapp.gateways.providers import (
    BUYER_REFUSES,
    BUYER_TAKES,
    INVALID,
    NOT_PASSED_ON,
    NOT_REACHABLE,
    ON_ITS_WAY,
    PASSED_ON,
    SYSTEM_REFUSES,
    SYSTEM_TAKES,
    By,
    Meaning,
)

_DUPLICATE = replace(
    INVALID,
    text=Text(
        "Sproom har før fået et dokument magen til og har ikke sendt dette. Se efter hos Sproom, om det første nåede frem.",
        "Sproom has had a document like it before and has not sent this one. Look at Sproom whether the first one arrived.",
    ),
)
_LIMIT = Meaning(
    Verdict.REJECTED,
    By.PROVIDER,
    Text(
        "Jeres aftale med Sproom rækker ikke til flere dokumenter, så dette er ikke sendt. Udvid aftalen hos Sproom, og send igen.",
        "Your agreement with Sproom covers no more documents, so this one was not sent. Extend the agreement at Sproom, and send "
        "again.",
    ),
)

#: In lower case: its answers begin words with a capital, its webhooks do not. Three words really are spelled "Reponse".
STATES: Mapping[str, Meaning] = {
    "created": ON_ITS_WAY,
    "transmissionstarted": ON_ITS_WAY,
    "endpointadded": ON_ITS_WAY,
    "sendlimitincreased": ON_ITS_WAY,
    "sent": PASSED_ON,
    "transmissioncompleted": PASSED_ON,
    "received": SYSTEM_TAKES,
    "approved": BUYER_TAKES,
    "endpointnotfound": NOT_REACHABLE,
    "schematronvalidationerror": INVALID,
    "oioschemavalidationerror": INVALID,
    "duplicatefileerror": _DUPLICATE,
    "sendnemhandelerror": NOT_PASSED_ON,
    "sendlimitexceeded": _LIMIT,
    "rejected": BUYER_REFUSES,
    "applicationreponsetechnicalreject": SYSTEM_REFUSES,
    "applicationreponseprofilereject": SYSTEM_REFUSES,
    "applicationreponsebusinessreject": BUYER_REFUSES,
    "applicationresponsetechnicalreject": SYSTEM_REFUSES,
    "applicationresponseprofilereject": SYSTEM_REFUSES,
    "applicationresponsebusinessreject": BUYER_REFUSES,
}

#: By EAS scheme.
SCHEMES = {
    identifiers.GLN: "GLN",
    identifiers.CVR: "DK:CVR",
    identifiers.SE: "DK:SE",
    identifiers.P_NUMBER: "DK:P",
}


def word_of(entry: Mapping[str, Any]) -> str:
    """The state in an entry of a document's history; empty where there is none."""
    return str(entry.get("state") or "").strip()


def telling(history: list[dict[str, Any]]) -> dict[str, Any] | None:
    """The newest entry whose word we know, else the newest with a word; None where nothing is told."""
    # Stable: entries of one moment, or without one, keep Sproom's order.
    ordered = sorted((entry for entry in history if word_of(entry)), key=_moment)
    known = [entry for entry in ordered if word_of(entry).lower() in STATES]
    return next(reversed(known or ordered), None)


def _moment(entry: Mapping[str, Any]) -> datetime:
    try:
        found = datetime.fromisoformat(str(entry.get("dateTime")))
    except ValueError:
        return datetime.min.replace(tzinfo=UTC)
    return found if found.tzinfo else found.replace(tzinfo=UTC)
