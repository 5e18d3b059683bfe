"""How the receivers of the demo's networks answer what a provider passes on to them: always the same, by who they are."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from invoiceapp.domain.identifiers import CVR, GLN, Participant, cvr_from

from ..billy import customers


class Conduct(StrEnum):
    """What a receiver does with every document."""

    SILENT = "silent"
    """Its system takes it, and no person answers"""
    ACCEPTS = "accepts"
    REJECTS = "rejects"
    """The buyer says no: the order number"""
    CANNOT_READ = "cannot-read"
    """Its system refuses it"""
    NOT_FOUND = "not-found"
    """It is registered, and its access point is gone"""


#: By the customer's key in Billy; everybody else is silent.
_CHOSEN: Mapping[Conduct, tuple[str, ...]] = {
    Conduct.ACCEPTS: ("O01", "O03", "O05", "O07", "O14", "K01", "V01", "V03", "V09"),
    # The first takes OIOUBL, the second BIS.
    Conduct.REJECTS: ("V11", "V17"),
    Conduct.CANNOT_READ: ("K04",),
    Conduct.NOT_FOUND: ("V08",),
}


def demo_conduct() -> dict[Participant, Conduct]:
    """Of those who do more than nothing, by every address that Billy knows of them."""
    contacts = {one["contactNo"]: one for one in customers.contacts()}
    found: dict[Participant, Conduct] = {}
    for conduct, keys in _CHOSEN.items():
        for key in keys:
            gln, cvr = contacts[key]["ean"], cvr_from(contacts[key]["registrationNo"])
            found |= {Participant(scheme, value): conduct for scheme, value in ((GLN, gln), (CVR, cvr)) if value}
    return found
