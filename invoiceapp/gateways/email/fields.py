"""What a user fills in for an e-mail gateway."""

from __future__ import annotations

from dataclasses import replace

from invoiceapp.domain.fields import Field, FieldType
from invoiceapp.domain.findings import Text
from invoiceapp.gateways.common_fields import CA_CERTIFICATE, CONNECTIONS, HOST_PATTERN

DEFAULT_PORT = 587
DEFAULT_SIZE_MB = 20
DEFAULT_SUBJECT = "{type} {number} fra {sender}"
DEFAULT_BODY = "Til {receiver}\n\n{type} {number} fra {sender} er vedhæftet.\n\nVenlig hilsen\n{sender}\n"

#: What subject and body may hold.
TOKENS = ("number", "type", "sender", "receiver", "date", "order")
TOKEN_PATTERN = rf"\{{(?:{'|'.join(TOKENS)})\}}"

_TEMPLATE_PATTERN = rf"(?:[^{{}}]|{TOKEN_PATTERN}){{1,2000}}"
_TEMPLATE_HELP = Text(
    "Kan rumme {number}, {type} (Faktura eller Kreditnota), {sender}, {receiver}, {date} og {order} (ordrenummer); andre "
    "krøllede parenteser kan ikke bruges.",
    "May hold {number}, {type} (Faktura or Kreditnota), {sender}, {receiver}, {date} and {order} (order number); no other "
    "braces.",
)
_ALSO_HELP = Text("Får også hver mail, synligt for de andre.", "Gets every mail too, seen by the others.")
_LOGS_IN = ("auth", ("password", "oauth2"))
_OAUTH2 = ("auth", ("oauth2",))

ROOT = replace(
    CA_CERTIFICATE,
    label=Text("Mailserverens eget rodcertifikat", "The mail server's own root certificate"),
    only_when=("security", ("starttls", "tls")),
)

_SERVER = (
    Field(
        "host",
        Text("Mailserver", "Mail server"),
        required=True,
        is_address=True,
        pattern=HOST_PATTERN,
        help=Text(
            "Navnet på serveren til udgående post, f.eks. smtp.firma.dk.",
            "Its name for outgoing mail, e.g. smtp.company.com.",
        ),
        group=Text("Mailserver", "Mail server"),
    ),
    Field("port", Text("Port", "Port"), FieldType.INTEGER, default=DEFAULT_PORT, smallest=1, largest=65_535),
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
)

_LOGIN = (
    Field(
        "auth",
        Text("Log ind med", "Log in with"),
        FieldType.CHOICE,
        choices=(
            ("password", Text("Brugernavn og adgangskode", "User name and password")),
            ("oauth2", Text("OAuth 2 (f.eks. Microsoft 365 og Google)", "OAuth 2 (e.g. Microsoft 365 and Google)")),
            ("none", Text("Intet login", "No login")),
        ),
        default="password",
        group=Text("Login", "Login"),
    ),
    Field("username", Text("Brugernavn", "User name"), required=True, only_when=_LOGS_IN),
    Field("password", Text("Adgangskode", "Password"), required=True, secret=True, only_when=("auth", ("password",))),
    Field(
        "token_url",
        Text("Login-tjenestens adresse (token URL)", "Address of the login service (token URL)"),
        FieldType.URL,
        required=True,
        is_address=True,
        only_when=_OAUTH2,
        help=Text("Står i udbyderens vejledning til OAuth 2.", "Stands in the provider's guide to OAuth 2."),
    ),
    Field("client_id", Text("Klient-id", "Client id"), required=True, only_when=_OAUTH2),
    Field(
        "client_secret",
        Text("Klienthemmelighed", "Client secret"),
        secret=True,
        only_when=_OAUTH2,
        help=Text("Tom, hvis udbyderen ikke har givet jer en.", "Empty where the provider gave you none."),
    ),
    Field("refresh_token", Text("Refresh token", "Refresh token"), required=True, secret=True, only_when=_OAUTH2),
    Field(
        "scope",
        Text("Rettigheder (scope)", "Permissions (scope)"),
        only_when=_OAUTH2,
        help=Text("Tom: dem, som tokenet blev udstedt med.", "Empty: those that the token was issued with."),
    ),
)

_ADDRESSES = (
    Field(
        "sender",
        Text("Afsenderadresse", "Sender address"),
        FieldType.EMAIL,
        required=True,
        help=Text("En adresse, kontoen må sende fra.", "An address that the account may send from."),
        group=Text("Adresser", "Addresses"),
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
    Field("recipient_2", Text("Modtager 2", "Recipient 2"), FieldType.EMAIL, help=_ALSO_HELP),
    Field("recipient_3", Text("Modtager 3", "Recipient 3"), FieldType.EMAIL, help=_ALSO_HELP),
    Field(
        "copy_to",
        Text("Skjult kopi til", "Blind copy to"),
        FieldType.EMAIL,
        help=Text("F.eks. bogholderiets egen adresse.", "For example the bookkeeper's own address."),
    ),
)

_MAIL = (
    Field(
        "subject",
        Text("Emne", "Subject"),
        default=DEFAULT_SUBJECT,
        pattern=_TEMPLATE_PATTERN,
        help=_TEMPLATE_HELP,
        group=Text("Mailen", "The mail"),
    ),
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
        "size_mb",
        Text("Største mail (MB)", "Largest mail (MB)"),
        FieldType.INTEGER,
        default=DEFAULT_SIZE_MB,
        smallest=1,
        largest=150,
        help=Text(
            "Større mails sendes ikke, og du får besked. Vedhæftninger fylder en tredjedel mere i en mail.",
            "Larger mails are not sent, and you are told. Attachments take a third more room in a mail.",
        ),
    ),
)

FIELDS = (*_SERVER, *_LOGIN, *_ADDRESSES, *_MAIL, ROOT, CONNECTIONS)
