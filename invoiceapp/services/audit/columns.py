"""Columns of audited rows and their values in words, for the page; files have them as they are stored."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from invoiceapp.domain.findings import Text
from invoiceapp.services.people.words import LEVELS, ROLES

#: What columns are called; others are shown by their own names.
COLUMNS: Mapping[str, Text] = {
    "accepted": Text("Vej ved aktivering", "Route of the activation"),
    "accepted_at": Text("Taget imod", "Accepted"),
    "active": Text("Slået til", "Active"),
    "address": Text("Adresse", "Address"),
    "approved_at": Text("Godkendt", "Approved"),
    "approved_by": Text("Godkendt af", "Approved by"),
    "catch_up": Text("Forsømte kørsler", "Missed runs"),
    "config": Text("Opsætning", "Configuration"),
    "default_format": Text("Format", "Format"),
    "default_gateway_id": Text("Gateway", "Gateway"),
    "deleted_at": Text("Slettet", "Deleted"),
    "description": Text("Beskrivelse", "Description"),
    "email": Text("E-mail", "E-mail"),
    "environment": Text("Miljø", "Environment"),
    "expires_at": Text("Udløber", "Expires"),
    "format": Text("Format", "Format"),
    "gateway_id": Text("Gateway", "Gateway"),
    "grants": Text("Deling", "Sharing"),
    "holidays": Text("Helligdage", "Holidays"),
    "is_locked": Text("Låst", "Locked"),
    "is_new": Text("Ny", "New"),
    "kind": Text("Type", "Kind"),
    "language": Text("Sprog", "Language"),
    "first_day": Text("Første dag", "First day"),
    "finished_at": Text("Færdig", "Finished"),
    "last_day": Text("Sidste dag", "Last day"),
    "moment": Text("Opgjort pr.", "As of"),
    "members": Text("Medlemmer", "Members"),
    "name": Text("Navn", "Name"),
    "needs_second_factor": Text("Kræver to-trins-login", "Asks for a second factor"),
    "new_customers": Text("Nye kunder", "New customers"),
    "organization": Text("Virksomhed", "Company"),
    "password": Text("Adgangskode", "Password"),
    "paused_at": Text("Sat på pause", "Paused"),
    "paused_reason": Text("Grund til pausen", "Reason of the pause"),
    "paused_until": Text("Pause til", "Paused until"),
    "pinned": Text("Valgt vej", "Chosen route"),
    "role": Text("Rolle", "Role"),
    "rows": Text("Antal rækker", "Number of rows"),
    "secrets": Text("Hemmeligheder", "Secrets"),
    "settings": Text("Indstillinger", "Settings"),
    "source_config": Text("Forbindelse til kilden", "Connection to the source"),
    "source_secrets": Text("Nøgler til kilden", "Keys of the source"),
    "start_date": Text("Startdato", "Start date"),
    "suspended_at": Text("Suspenderet", "Suspended"),
    "timing": Text("Tider", "Times"),
    "usage": Text("Bruges til", "Used for"),
    "url": Text("Adresse", "Address"),
    "withdrawn_at": Text("Trukket tilbage", "Withdrawn"),
    "adaptor_ids": Text("Adaptorer", "Adaptors"),
    "ceiling": Text("Altid over dette beløb", "Always above this amount"),
    "factor": Text("Hvor mange gange det normale", "How many times the normal amount"),
    "four_eyes": Text("Kræver to personer", "Needs two people"),
    "is_baseline": Text("Godkendt, fordi det var i brug", "Approved by having been in use"),
    "last_month": Text("Regnskabsåret slutter med måned", "The financial year ends with month"),
    "lifted_at": Text("Ophævet", "Lifted"),
    "lifted_by": Text("Ophævet af", "Lifted by"),
    "made_by": Text("Sat af", "Put by"),
    "note": Text("Bemærkning", "Note"),
    "on": Text("Slået til", "Switched on"),
    "decided_at": Text("Besluttet", "Decided"),
    "reason": Text("Begrundelse", "Reason"),
    "revoked_at": Text("Tilbagekaldt", "Revoked"),
    "revoked_by": Text("Tilbagekaldt af", "Revoked by"),
    "scope": Text("Omfatter", "Covers"),
    "shown": Text("Værdi", "Value"),
    "about": Text("Kunde", "Customer"),
    "state": Text("Status", "Status"),
    "until": Text("Til og med", "Until"),
    "years": Text("År efter regnskabsårets udløb", "Years after the end of the financial year"),
}
#: Columns whose stored value is the id of a gateway.
GATEWAYS = frozenset({"gateway_id", "default_gateway_id"})
#: What says something to the program only.
_TECHNICAL = frozenset(
    {
        "atoms", "choice", "fields", "fingerprint", "history", "ids", "known", "public_id", "subject", "token_hash", "wish", "job_id",
    }
)  # fmt: skip
_ACT_ONLY = frozenset({"address", "status"})
_SWITCHES = {
    "accounts": Text("ny bankkonto eller FIK-kreditor", "new bank account or FIK creditor"),
    "destinations": Text("ny modtageradresse eller gateway-adresse", "new receiver's address or gateway host"),
    "customers": Text("første faktura til en kunde", "first invoice to a customer"),
    "amounts": Text("beløb langt over det normale", "amount far above normal"),
}
_STATES = {
    "waiting": Text("Venter", "Waiting"),
    "approved": Text("Godkendt", "Approved"),
    "refused": Text("Afvist", "Refused"),
    "withdrawn": Text("Trukket tilbage", "Withdrawn"),
}
_ENVIRONMENTS = {"test": Text("Test", "Test"), "production": Text("Drift", "Production")}
_GRANTEES = {"everybody": Text("Alle brugere", "All users"), "admins": Text("Administratorer", "Administrators")}
_HOLDS = {
    "document": Text("Et dokument", "A document"), "customer": Text("En kunde", "A customer"),
    "adaptor": Text("En adaptor", "An adaptor"), "subscription": Text("Alt", "Everything"),
}  # fmt: skip
_VALUES: Mapping[str, Mapping[str, Text]] = {
    "role": {role.value: text for role, text in ROLES.items()},
    "level": {level.value: text for level, text in LEVELS.items()},
    "on": _SWITCHES,
    "state": _STATES,
    "environment": _ENVIRONMENTS,
    "scope": _HOLDS,
    "to": _GRANTEES,
}


def column(name: str) -> Text:
    """What a column is called; of a value inside one, the column and the value's own name."""
    first, _dot, rest = name.partition(".")
    found, last = COLUMNS.get(first, _plain(first)), rest.rpartition(".")[2]
    if not rest:
        return found
    inner = COLUMNS.get(last, _plain(rest))
    return Text(f"{found.da}: {inner.da}", f"{found.en}: {inner.en}")


def is_technical(name: str, *, is_act: bool) -> bool:
    """Whether a value says nothing to people: ids, and how the program answered. An act's own are more."""
    first, last = name.partition(".")[0], name.rpartition(".")[2]
    if last in GATEWAYS:
        return False
    if first in _ACT_ONLY:
        return is_act
    return first in _TECHNICAL or "wish" in name.split(".") or last.endswith(("_id", "_ids", "_key"))


def value(name: str, stored: Any) -> Text:
    """A value that has words of its own, by the last part of its column's name; others as they are."""
    words = _VALUES.get(name.rpartition(".")[2], {})
    return words.get(stored, _plain(stored)) if isinstance(stored, str) else _plain(stored)


def grant(stored: Mapping[str, Any]) -> Text:
    """``Alle brugere: Operatør`` of one entry of a sharing."""
    to, level = str(stored.get("to", "")), value("level", stored.get("level"))
    kind = to.partition("/")[0]
    others = {"group": Text("En gruppe", "A group"), "user": Text("En person", "A person")}
    who = _GRANTEES.get(to) or others.get(kind) or _plain(to)
    return Text(f"{who.da}: {level.da}", f"{who.en}: {level.en}")


def _plain(stored: Any) -> Text:
    text = "" if stored is None else str(stored)
    return Text(text, text)
