"""The audit log in words. Every endpoint that changes something has a line here (tests/blueprints/audit)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from invoiceapp.domain.findings import Text
from invoiceapp.services.audit.acts import ACTS, CHOICES, DOWNLOADS, NOTES, SIGN_INS
from invoiceapp.services.audit.columns import value

__all__ = ["DOWNLOADS", "SIGN_INS", "kind", "sentence"]

#: What rows are called.
KINDS: Mapping[str, Text] = {
    "adaptor": Text("adaptoren", "the adaptor"),
    "api_token": Text("API-nøglen", "the API token"),
    "approval": Text("godkendelsen", "the approval"),
    "audit": Text("revisionssporet", "the audit trail"),
    "change": Text("ændringen", "the change"),
    "customer": Text("kunden", "the customer"),
    "customer_settings": Text("kundens indstillinger", "the customer's settings"),
    "document": Text("dokumentet", "the document"),
    "export_rule": Text("kundens eksport", "the customer's export"),
    "gateway": Text("gatewayen", "the gateway"),
    "group": Text("gruppen", "the group"),
    "group_member": Text("gruppens medlem", "the group's member"),
    "identity": Text("forbindelsen til et andet login", "the connection to another sign-in"),
    "invitation": Text("invitationen", "the invitation"),
    "job": Text("opgaven", "the job"),
    "legal_hold": Text("den særskilte bevaring", "the legal hold"),
    "match": Text("kundens vej", "the customer's route"),
    "membership": Text("medlemskabet", "the membership"),
    "month_end_proof": Text("månedsbeviset", "the month-end proof"),
    "notice": Text("beskeden", "the notice"),
    "passkey": Text("passkeyen", "the passkey"),
    "preference": Text("ønskerne til beskeder", "the notification wishes"),
    "problem": Text("problemet", "the problem"),
    "receiver": Text("oplysningen om modtagelse", "the word on how invoices are received"),
    "recipient": Text("modtageren af beskeder", "the recipient of notifications"),
    "retention": Text("opbevaringen", "the retention"),
    "run": Text("kørslen", "the run"),
    "schedule": Text("tidsplanen", "the schedule"),
    "session": Text("sessionen", "the session"),
    "setting_template": Text("skabelonen", "the template"),
    "settings": Text("indstillingerne", "the settings"),
    "share": Text("delingen", "the sharing"),
    "subscription": Text("virksomheden", "the company"),
    "user": Text("brugeren", "the user"),
    "watch": Text("overvågningen", "the watching"),
    "webhook": Text("webhooken", "the webhook"),
}
_ROWS: Mapping[str, Text] = {
    "created": Text("oprettede", "created"),
    "changed": Text("ændrede", "changed"),
    "deleted": Text("slettede", "deleted"),
}
_OUTCOMES: Mapping[str, Text] = {
    "refused": Text("blev afvist", "was refused"),
    "invalid": Text("blev ikke gemt", "was not saved"),
    "failed": Text("en fejl i programmet", "a fault in the program"),
}
_NOBODY = Text("En, der ikke var logget ind,", "Somebody who had not signed in")
_SYSTEM = Text("Systemet", "The system")


def kind(name: str) -> Text:
    """What objects of a kind are called."""
    return KINDS.get(name, Text(name, name))


def sentence(entry: Any, changes: Sequence[Any] = ()) -> Text:
    """One entry as a sentence: who did what to which, and whether it was refused.

    ``changes``: entries of rows of the same request, which may say more exactly what was done.
    """
    parts = [_actor(entry), *(_exactly(entry, changes) or (_act(entry), _same(entry.object_name)))]
    if entry.outcome in _OUTCOMES:
        outcome = _OUTCOMES[entry.outcome]
        parts.append(Text(f"({outcome.da})", f"({outcome.en})"))
    return Text(*(" ".join(filter(None, words)) for words in (_each(parts, "da"), _each(parts, "en"))))


def _same(name: str) -> Text:
    return Text(name, name)


def _exactly(entry: Any, changes: Sequence[Any]) -> tuple[Text, ...]:
    """What was done and to which, where it has words of its own; else nothing."""
    if entry.act == "approvals.decide":
        return _decided(entry, [one for one in changes if one.object_kind == "approval"])
    if entry.act == "approvals.save_settings":
        return _four_eyes(entry, changes)
    if entry.object_kind == "membership" and (found := _membership(entry, changes)):
        return found
    return ()


def _decided(entry: Any, approvals: Sequence[Any]) -> tuple[Text, ...]:
    names = [one.object_name or "?" for one in approvals]
    what = Text("noget, der ventede på to personer", "something that waited for two people")
    return _act(entry), _same(", ".join(names)) if names else what


def _four_eyes(entry: Any, changes: Sequence[Any]) -> tuple[Text, ...]:
    rules = [(one.after or {}).get("four_eyes") for one in changes if one.object_kind == "subscription"]
    if not rules or not isinstance(rules[0], dict):
        return ()
    if "wish" in rules[0]:
        return (Text("bad om, at mindre skal kræve to personer", "asked that less needs two people"),)
    if "on" not in rules[0]:
        return ()
    on = [value("on", one) for one in rules[0]["on"]]
    act = _act(entry)
    names = Text(", ".join(one.da for one in on) or "intet", ", ".join(one.en for one in on) or "nothing")
    return (Text(f"{act.da}: {names.da}", f"{act.en}: {names.en}"),)


def _membership(entry: Any, changes: Sequence[Any]) -> tuple[Text, ...]:
    found = next((one for one in (entry, *changes) if one.object_id == entry.object_id and one.act in _ROWS), None)
    if found is None:
        return ()
    name = _same(found.object_name or entry.object_name)
    before, after = found.before or {}, found.after or {}
    if found.act == "changed" and "role" in after:
        old, new = value("role", before.get("role")), value("role", after["role"])
        return (
            Text(f"ændrede rollen for {name.da} fra {old.da} til {new.da}", f"changed the role of {name.en} from {old.en} to {new.en}"),
        )  # fmt: skip
    if found is not entry or found.act == "changed":
        return ()
    is_own = name.da == entry.actor or (entry.user_id and entry.user_id == (before or after).get("user_id"))
    if found.act == "created":
        return (Text("blev medlem", "became a member"),) if is_own else (Text("tilføjede", "added"), name)
    return (Text("forlod virksomheden", "left the company"),) if is_own else (Text("fjernede", "removed"), name)


def _each(parts: list[Text], language: str) -> list[str]:
    return [part.in_language(language) for part in parts]


def _actor(entry: Any) -> Text:
    if entry.actor_kind == "system":
        return _SYSTEM
    if entry.actor_kind == "visitor" and not entry.actor:
        return _NOBODY
    if entry.actor_kind == "token":
        return Text(f"{entry.actor} (API-nøgle)", f"{entry.actor} (API token)")
    if entry.actor_kind == "command":
        return Text(f"Kommandoen {entry.actor}", f"The command {entry.actor}")
    return Text(entry.actor, entry.actor)


def _act(entry: Any) -> Text:
    if entry.act not in _ROWS:
        after = entry.after or {}
        chosen = after.get("choice") or (after.get("address") or {}).get("name")
        return (
            CHOICES.get((entry.act, str(chosen)))
            or NOTES.get(entry.act)
            or ACTS.get(entry.act)
            or Text(f"udførte {entry.act}", f"did {entry.act}")
        )
    verb, what, count = _ROWS[entry.act], kind(entry.object_kind or ""), (entry.after or {}).get("rows")
    if count is not None and entry.object_id is None:
        return Text(f"{verb.da} {count} × {what.da}", f"{verb.en} {count} × {what.en}")
    return Text(f"{verb.da} {what.da}", f"{verb.en} {what.en}")
