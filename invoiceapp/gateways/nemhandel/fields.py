"""What NemHandel asks for beside the fields of every access point. What its public texts leave open is a choice here."""

from __future__ import annotations

from enum import StrEnum

from invoiceapp.domain.fields import Field, FieldType
from invoiceapp.domain.findings import Text
from invoiceapp.domain.network import AS4_PROFILE, Network
from invoiceapp.gateways.as4.fields import access_point_fields

_OPEN = Text("NemHandels egne valg", "NemHandel's own choices")


class PartyName(StrEnum):
    """What an access point is called in the ebMS header (PartyId)."""

    CVR = "cvr"
    """the company number in its certificate (2.5.4.97), as ERST's reference implementation does"""
    COMMON_NAME = "cn"
    """the CN of its certificate, as in Peppol"""


PARTY = Field(
    "party",
    Text("Access pointets navn i beskeden", "The access point's name in the message"),
    FieldType.CHOICE,
    required=True,
    choices=(
        (PartyName.CVR.value, Text("CVR-nummeret i certifikatet", "The CVR number in the certificate")),
        (PartyName.COMMON_NAME.value, Text("Navnet (CN) i certifikatet", "The name (CN) in the certificate")),
    ),
    default=PartyName.CVR.value,
    help=Text(
        "Ret det kun, hvis Erhvervsstyrelsen eller modtagerens access point beder om det.",
        "Change it only if Erhvervsstyrelsen or the receiver's access point asks for it.",
    ),
    group=_OPEN,
)
SIGNATURE_VERSION = Field(
    "signature_version",
    Text("Dokumentunderskriftens version", "Version of the document signature"),
    pattern=r"[A-Za-z0-9._:-]{1,100}",
    help=Text(
        "Kun hvis Erhvervsstyrelsen oplyser en: den skrives i kuverten ved underskriften.",
        "Only if Erhvervsstyrelsen names one: it is written into the envelope beside the signature.",
    ),
    group=_OPEN,
)
PROFILE = Field(
    # Read by the look-up, as the fields of ``lookup_fields``.
    "nemhandel_profile",
    Text("Transportprofil i registret", "Transport profile in the register"),
    default=AS4_PROFILE,
    pattern=r"[A-Za-z0-9._:-]{1,100}",
    help=Text(
        "Det navn, registret (SMP) giver AS4. Ret det kun, hvis Erhvervsstyrelsen oplyser et andet.",
        "What the register (SMP) calls AS4. Change it only if Erhvervsstyrelsen names another.",
    ),
    group=_OPEN,
)

FIELDS = (*access_point_fields(Network.NEMHANDEL), PARTY, SIGNATURE_VERSION, PROFILE)
