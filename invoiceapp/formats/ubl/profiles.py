"""The UBL profiles as data. A new profile is a new row and golden files."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Profile:
    """What distinguishes one UBL profile from another of the same dialect."""

    id: str
    customization_id: str
    """BT-24"""
    process_id: str
    """BT-23"""
    ubl_version: str | None = None


PEPPOL_BIS_3 = Profile(
    id="peppol-bis-3",
    # PEPPOL-EN16931-R004, PEPPOL-EN16931-R007
    customization_id="urn:cen.eu:en16931:2017#compliant#urn:fdc:peppol.eu:2017:poacc:billing:3.0",
    process_id="urn:fdc:peppol.eu:2017:poacc:billing:01:1.0",
)

OIOUBL_2_1 = Profile(
    id="oioubl-2.1",
    # F-LIB001, F-LIB002. Profile 5 asks no ApplicationResponse of the sender, and every
    # public body in Denmark must take it.
    customization_id="OIOUBL-2.1",
    process_id="urn:www.nesubl.eu:profiles:profile5:ver2.0",
    ubl_version="2.1",
)
