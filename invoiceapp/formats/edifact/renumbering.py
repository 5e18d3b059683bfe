"""The same message in another interchange: only the control reference and the time of preparation change."""

from __future__ import annotations

import re

from invoiceapp.formats.base import Interchange

from .writer import LOCAL

#: Our own UNB: character set, sender, receiver, date and time, reference. GLNs need no release characters.
_UNB = re.compile(rb"(UNB\+[^+]+\+[^+]+\+[^+]+\+)[0-9]{6}:[0-9]{4}\+([0-9]+)")
_UNZ = re.compile(rb"(UNZ\+1\+)[0-9]+(?='\s*\Z)")


def renumber(content: bytes, before: Interchange, after: Interchange) -> bytes:
    """An interchange that ``write`` made, with another number. Raises ``ValueError`` for other bytes."""
    found = _UNB.search(content)
    if found is None:
        raise ValueError("no interchange of ours")
    # The user may have chosen another first reference than 1; the distance to it stays.
    reference = str(int(found[2]) - before.number + after.number).encode()
    prepared = after.prepared_at.astimezone(LOCAL).strftime("%y%m%d:%H%M").encode()
    opened = content[: found.start()] + found[1] + prepared + b"+" + reference + content[found.end() :]
    return _UNZ.sub(rb"\g<1>" + reference, opened)
