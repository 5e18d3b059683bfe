"""Whether the e-invoices of a document are those that its deliveries, its timeline and its receipts tell of."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from .contents import DELIVERIES


def compare(
    folder: str, deliveries: Iterable[Any], events: Iterable[Any], files: Mapping[str, str], missing: Collection[str]
) -> tuple[int, list[str]]:
    """How many deliveries were sent, and what does not fit, as paths or ids. ``files``: path in the pack, SHA-256.

    ``missing``: paths below ``folder`` that the archive had lost; they are told elsewhere.
    """
    try:
        return _compare(folder, deliveries, events, files, missing)
    except (AttributeError, TypeError):
        # Not ours, whatever it is.
        return 0, [f"{folder}/{DELIVERIES}"]


def _compare(
    folder: str, deliveries: Iterable[Any], events: Iterable[Any], files: Mapping[str, str], missing: Collection[str]
) -> tuple[int, list[str]]:
    events, wrong, sent = [one for one in events if isinstance(one, dict)], list[str](), 0
    for delivery in deliveries:
        made = delivery.get("rendition") or {}
        expected, path = made.get("sha256"), str(made.get("file"))
        if expected and path not in missing and files.get(f"{folder}/{path}") != expected:
            wrong.append(path)
        if not delivery.get("first_sent_at"):
            continue
        sent += 1
        told = {*_converted(events, delivery.get("id")), *_acknowledged(delivery)}
        if expected is None or told - {expected}:
            wrong.append(f"{delivery.get('id')}")
    return sent, wrong


def _converted(events: Iterable[Mapping[str, Any]], delivery_id: Any) -> list[str]:
    """The SHA-256 that the timeline noted last before the delivery was sent first; none where it was made of another's bytes."""
    found: list[str] = []
    for one in events:
        if one.get("delivery") != delivery_id:
            continue
        if one.get("kind") == "sending":
            break
        sha256 = (one.get("data") or {}).get("sha256")
        if one.get("kind") == "converted" and isinstance(sha256, str):
            found = [sha256]
    return found


def _acknowledged(delivery: Mapping[str, Any]) -> list[str]:
    """The SHA-256 of the bytes for which the partner's direct answers were kept."""
    receipts = [one for one in delivery.get("receipts") or [] if isinstance(one, dict) and one.get("kind") == "wire"]
    sums = [(one.get("evidence") or {}).get("sha256") for one in receipts]
    return [one for one in sums if isinstance(one, str)]
