"""The envelope of an interchange: UNB, one UNH … UNT, UNZ."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .directory import Misplaced, Node, tree
from .syntax import Segment, unreadable


@dataclass(frozen=True, slots=True)
class Envelope:
    """An interchange with one message, taken apart."""

    opening: Segment
    header: Segment
    body: tuple[Segment, ...]
    trailer: Segment
    closing: Segment


def unwrap(segments: Sequence[Segment]) -> Envelope:
    """The one INVOIC of an interchange. Raises ``Unreadable``."""
    if len(segments) < 4 or (segments[1].tag, segments[-2].tag, segments[-1].tag) != ("UNH", "UNT", "UNZ"):
        raise unreadable(
            "Filen skal have UNB, UNH, UNT og UNZ, i den orden.",
            "The file must have UNB, UNH, UNT and UNZ, in that order.",
        )
    opening, header, *body, trailer, closing = segments
    if any(item.tag in ("UNH", "UNT") for item in body):
        raise unreadable("Filen har flere meddelelser.", "The file has several messages.")
    if (header.get(1), header.get(1, 1), header.get(1, 2)) != ("INVOIC", "D", "96A"):
        kind = ":".join(header.all(1))[:40]
        raise unreadable(
            f"Meddelelsen er »{kind}« og ikke en INVOIC D.96A.", f"The message is “{kind}” and not an INVOIC D.96A."
        )
    return Envelope(opening, header, tuple(body), trailer, closing)


def message(envelope: Envelope) -> Node:
    """The message's segments in their groups. Raises ``Unreadable``."""
    try:
        return tree(envelope.header, envelope.body)
    except Misplaced as error:
        expected, found = error.expected, error.found
        if found is None:
            raise unreadable(f"{expected} mangler.", f"{expected} is missing.") from error
        if expected is None:
            da, en = f"{found.tag} må ikke stå her.", f"{found.tag} may not stand here."
        else:
            da, en = f"{found.tag} står, hvor {expected} skulle stå.", f"{found.tag} stands where {expected} should be."
        raise unreadable(da, en, found.position) from error
