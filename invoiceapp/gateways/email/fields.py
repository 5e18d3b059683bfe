"""What a user fills in for an e-mail gateway."""

from __future__ import annotations

from invoiceapp.domain.fields import Field, FieldType
from invoiceapp.domain.findings import Text

DEFAULT_SUBJECT = "{type} {number} fra {sender}"
DEFAULT_BODY = "Til {receiver}\n\n{type} {number} fra {sender} er vedhæftet.\n\nVenlig hilsen\n{sender}\n"

_TEMPLATE_PATTERN = r"(?:[^{}]|\{(?:number|type|sender|receiver)\}){1,2000}"
_TEMPLATE_HELP = Text(
    "Kan rumme {number}, {type} (Faktura eller Kreditnota), {sender} og {receiver}; andre krøllede parenteser kan ikke "
    "bruges.",
    "May hold {number}, {type} (Faktura or Kreditnota), {sender} and {receiver}; no other braces.",
)

FIELDS = (
    Field(
        "host",
        Text("Mailserver", "Mail server"),
        required=True,
        is_address=True,
        pattern=r"[A-Za-z0-9.:-]{1,253}",
        help=Text("Serveren til udgående post, f.eks. smtp.firma.dk.", "For outgoing mail, e.g. smtp.company.com."),
    ),
    Field("port", Text("Port", "Port"), FieldType.INTEGER, default=587, smallest=1, largest=65_535),
    Field(
        "security",
        Text("Kryptering", "Encryption"),
        FieldType.CHOICE,
        choices=(
            ("starttls", Text("STARTTLS (som regel port 587)", "STARTTLS (usually port 587)")),
            ("tls", Text("TLS fra start (som regel port 465)", "TLS from the start (usually port 465)")),
            ("none", Text("Ingen (kun på denne maskine)", "None (on this machine only)")),
        ),
        default="starttls",
    ),
    Field(
        "username",
        Text("Brugernavn", "User name"),
        help=Text("Tomt, hvis serveren ikke kræver login.", "Empty where the server wants no login."),
    ),
    Field("password", Text("Adgangskode", "Password"), secret=True),
    Field(
        "sender",
        Text("Afsenderadresse", "Sender address"),
        FieldType.EMAIL,
        required=True,
        help=Text("En adresse, mailserveren må sende fra.", "An address that the mail server may send from."),
    ),
    Field(
        "sender_name",
        Text("Afsendernavn", "Sender name"),
        help=Text("Tomt: firmaets navn fra fakturaen.", "Empty: the company name on the invoice."),
    ),
    Field(
        "recipient",
        Text("Fast modtager", "Fixed recipient"),
        FieldType.EMAIL,
        help=Text("Tom: kundens egen e-mailadresse.", "Empty: the customer's own e-mail address."),
    ),
    Field(
        "copy_to",
        Text("Skjult kopi til", "Blind copy to"),
        FieldType.EMAIL,
        help=Text("F.eks. bogholderiets egen adresse.", "For example the bookkeeper's own address."),
    ),
    Field("subject", Text("Emne", "Subject"), default=DEFAULT_SUBJECT, pattern=_TEMPLATE_PATTERN, help=_TEMPLATE_HELP),
    Field(
        "body",
        Text("Tekst", "Body"),
        FieldType.MULTILINE,
        default=DEFAULT_BODY,
        pattern=_TEMPLATE_PATTERN,
        help=_TEMPLATE_HELP,
    ),
    Field("with_pdf", Text("Vedhæft også PDF'en", "Attach the PDF too"), FieldType.BOOLEAN, default=True),
    Field(
        "ca_certificate",
        Text("Jeres egen rodcertifikat-fil", "Your own root certificate"),
        FieldType.MULTILINE,
        help=Text(
            "Kun hvis mailserverens certifikat er udstedt af jer selv: indsæt rodcertifikatet i PEM-form.",
            "Only where the mail server's certificate was issued by yourselves: paste the root certificate in PEM.",
        ),
    ),
)
