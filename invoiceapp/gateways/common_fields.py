"""Declared fields that several transports have in common."""

from __future__ import annotations

from invoiceapp.domain.fields import Field, FieldType
from invoiceapp.domain.findings import Text

#: What hardly anybody has to change; under this heading it stands last in each form.
RARELY = Text("Sjældent nødvendigt", "Rarely needed")

HOST_PATTERN = r"[A-Za-z0-9._:-]{1,253}"

CONNECTIONS = Field(
    "connections",
    Text("Forbindelser ad gangen", "Connections at once"),
    FieldType.INTEGER,
    default=2,
    smallest=1,
    largest=20,
    help=Text(
        "Så mange forbindelser åbner vi højst til serveren på samme tid, alle gateways til den talt med.",
        "So many connections we open to the server at the same time at most, all gateways to it counted together.",
    ),
    group=RARELY,
)

CA_CERTIFICATE = Field(
    "ca_certificate",
    Text("Modtagerens eget rodcertifikat", "The receiver's own root certificate"),
    FieldType.MULTILINE,
    help=Text(
        "Kun hvis serverens certifikat ikke er udstedt af en offentlig udsteder: indsæt rodcertifikatet i PEM-form.",
        "Only where the server's certificate was not issued by a public authority: paste the root certificate in PEM.",
    ),
    group=RARELY,
)
