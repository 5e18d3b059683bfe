"""What a user fills in for an access point of one's own, whatever its network."""

from __future__ import annotations

from invoiceapp.domain.fields import Field, FieldType
from invoiceapp.domain.findings import Text
from invoiceapp.domain.network import Network
from invoiceapp.gateways.common_fields import CONNECTIONS, RARELY
from invoiceapp.gateways.lookup_fields import lookup_fields

_OWN = Text("Vores access point", "Our access point")
_OTHERS = Text("Hvem vi stoler på", "Whom we trust")

_UPLOADED = Text(
    "Lad felterne stå tomme, og gem: filen fra udstederen (PEM eller PKCS#12) lægges op bagefter under »Certifikater« på "
    "gatewayens side. Eller indsæt certifikatet her i PEM-form.",
    "Leave these empty, and save: the file of the authority (PEM or PKCS#12) is uploaded afterwards under “Certificates” on the "
    "page of the gateway. Or paste the certificate here in PEM.",
)
_KEY_HELP = Text(
    "I PEM-form, uden adgangskode. Den forlader aldrig systemet.",
    "In PEM, without a passphrase. It never leaves this system.",
)

OWN_CERTIFICATE = Field(
    "own_certificate", Text("Vores certifikat", "Our certificate"), FieldType.MULTILINE, help=_UPLOADED, group=_OWN
)
OWN_KEY = Field(
    "own_key", Text("Vores private nøgle", "Our private key"), FieldType.MULTILINE, secret=True, is_kept_here=True,
    help=_KEY_HELP, group=_OWN,
)  # fmt: skip
OWN_NEXT_CERTIFICATE = Field(
    "own_next_certificate", Text("Vores næste certifikat", "Our next certificate"), FieldType.MULTILINE, group=_OWN
)
OWN_NEXT_KEY = Field(
    "own_next_key", Text("Nøglen til det næste", "The key to the next one"), FieldType.MULTILINE, secret=True,
    is_kept_here=True, help=_KEY_HELP, group=_OWN,
)  # fmt: skip
OWN_SWITCH_ON = Field(
    "own_switch_on",
    Text("Det næste gælder fra", "The next one counts from"),
    FieldType.DATE,
    help=Text(
        "Den dag, I retter certifikatet i registret (SMP). Begge kan åbne det, der kommer ind.",
        "The day on which you change the certificate in the register (SMP). Both can open what comes in.",
    ),
    group=_OWN,
)
COUNTRY = Field(
    "country",
    Text("Afsenderens land", "The sender's country"),
    default="DK",
    pattern=r"[A-Z]{2}",
    help=Text("To store bogstaver, f.eks. DK.", "Two capitals, such as DK."),
    group=_OWN,
)
ANCHORS = Field(
    "anchors",
    Text("Rodcertifikater for access points", "Root certificates of access points"),
    FieldType.MULTILINE,
    help=Text(
        "I PEM-form, flere efter hinanden: netværkets rodcertifikat og det udstedende certifikat. Kun access points, hvis "
        "certifikat kommer derfra, får noget tilsendt.",
        "In PEM, one after the other: the network's root certificate and the issuing one. Only access points whose certificate "
        "comes from there are sent anything.",
    ),
    group=_OTHERS,
)
REVOCATION = Field(
    "revocation",
    Text("Spærrede certifikater", "Revoked certificates"),
    FieldType.CHOICE,
    choices=(
        ("soft", Text("Spørg udstederen; send, hvis den ikke svarer", "Ask the authority; send if it does not answer")),
        ("strict", Text("Spørg udstederen; vent, til den svarer", "Ask the authority; wait until it answers")),
        ("off", Text("Spørg ikke", "Do not ask")),
    ),
    default="soft",
    help=Text(
        "Om modtagerens access point er blevet spærret, siden registret nævnte det.",
        "Whether the receiver's access point was revoked after the register named it.",
    ),
    group=RARELY,
)


def access_point_fields(network: Network) -> tuple[Field, ...]:
    """All of them, with the look-up of the network."""
    return (
        OWN_CERTIFICATE, OWN_KEY, OWN_NEXT_CERTIFICATE, OWN_NEXT_KEY, OWN_SWITCH_ON, COUNTRY, ANCHORS,
        *lookup_fields(network), REVOCATION, CONNECTIONS,
    )  # fmt: skip
