"""A proof's result as its page shows it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from invoiceapp.formatting import language
from invoiceapp.languages import say
from invoiceapp.services.proof.month_end import paper, words
from invoiceapp.services.proof.month_end.files import signed
from invoiceapp.services.proof.month_end.groups import OPEN, Group

#: Rows of a page; the CSV has all.
MOST = 300
_TONES = {Group.ACCEPTED: "teal", Group.DELIVERED: "green", Group.ACKNOWLEDGED: "green"}


def shown(result: Mapping[str, Any], wanted: str) -> dict[str, Any]:
    """For the templates: ``wanted`` is a group, or empty for what needs explaining."""
    chosen = next((one for one in Group if one.value == wanted), None)
    wished = {chosen.value} if chosen else {one.value for one in OPEN}
    rows = [row for row in result["rows"] if row["group"] in wished]
    return {
        "result": result,
        "moment": datetime.fromisoformat(result["moment"]),
        "attention": paper.attention(result, language()),
        "groups": [_group(one) for one in result["groups"]],
        "totals": _sums(result["totals"]),
        "difference": [one for one in _sums(result["sent"]["difference"]) if any(one[name] for name in paper.AMOUNTS)],
        "chosen": say(words.NAMES[chosen]) if chosen else None,
        "rows": [_row(row) for row in rows[:MOST]],
        "more": max(0, len(rows) - MOST),
        "only_ours": [_row(row) for row in result["only_ours"][:MOST]],
        "only_ours_more": max(0, len(result["only_ours"]) - MOST),
        "explained": [(one["number"], say(words.STANDINGS[one["state"]])) for one in result["explained"][:MOST]],
        "explained_more": max(0, len(result["explained"]) - MOST),
    }


def group_name(row: Mapping[str, Any] | None) -> str:
    """Of a row that was, or that is; a dash where there was or is none."""
    return say(words.NAMES[Group(row["group"])]) if row else "–"


def _group(one: Mapping[str, Any]) -> dict[str, Any]:
    group = Group(one["group"])
    colour = "orange" if group in OPEN else _TONES.get(group, "secondary")
    return {
        "value": group.value, "name": say(words.NAMES[group]), "text": say(words.EXPLAINED[group]), "colour": colour,
        "documents": one["documents"], "sums": _sums(one["sums"]),
    }  # fmt: skip


def _sums(sums: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [
        {"currency": currency, **{name: Decimal(one[name]) for name in paper.AMOUNTS}} for currency, one in sums.items()
    ]


def _row(row: Mapping[str, Any]) -> dict[str, Any]:
    sent = row["sent"]
    standing = say(words.STANDINGS[row["standing"] or ""]) if "standing" in row else ""
    return {
        "id": row["document_id"], "number": row["number"] or row["source_id"], "customer": row["customer"],
        "day": date.fromisoformat(row["day"]) if row["day"] else None, "currency": row["currency"],
        "group": say(words.NAMES[Group(row["group"])]), "gross": signed(row, "gross"),
        "sent": signed(sent, "gross") if sent else None, "sent_currency": sent["currency"] if sent else "",
        "why": f"{standing}. {say(words.why(row))}" if standing else say(words.why(row)),
    }  # fmt: skip
