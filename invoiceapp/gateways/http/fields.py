"""What a user fills in for an HTTP gateway."""

from __future__ import annotations

from dataclasses import replace

from invoiceapp.domain.fields import Field, FieldType
from invoiceapp.domain.findings import Text
from invoiceapp.gateways.base import KeyPair
from invoiceapp.gateways.common_fields import CA_CERTIFICATE, CONNECTIONS
from invoiceapp.gateways.file_drop import FILENAME

#: RFC 9110 5.6.2 (token), as short as any header has need of.
HEADER_NAME_PATTERN = r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,80}"
_HEADER_NAME_HELP = Text("Bogstaver, cifre og bindestreger.", "Letters, digits and dashes.")
_PART_NAME_PATTERN = r"[A-Za-z0-9._\[\]-]{1,80}"

_REQUEST = Text("Forespørgslen", "The request")
_ACCESS = Text("Adgang", "Access")
_SIGNATURE = Text("Signatur", "Signature")
_ANSWER = Text("Svaret", "The answer")
_LOST = Text("Efter et mistet svar", "After a lost answer")

_MULTIPART = ("body", ("multipart",))
_POINTER_HELP = Text(
    "En JSON-pointer, f.eks. /data/id for feltet »id« inde i »data«.",
    "A JSON pointer, for example /data/id for the field “id” inside “data”.",
)

FIELDS = (
    Field(
        "url",
        Text("Adresse", "Address"),
        FieldType.URL,
        required=True,
        is_address=True,
        help=Text(
            "Begynder med https://. Modtageren oplyser den, f.eks. https://firma.dk/api/fakturaer. Kan rumme {key}, som er "
            "forskellig for hver levering.",
            "Begins with https://. The receiver gives it to you, for example https://company.com/api/invoices. May hold {key}, "
            "which differs for each delivery.",
        ),
    ),
    Field(
        "method",
        Text("Metode", "Method"),
        FieldType.CHOICE,
        choices=(("POST", Text("POST", "POST")), ("PUT", Text("PUT", "PUT"))),
        default="POST",
        group=_REQUEST,
    ),
    Field(
        "body",
        Text("Indhold", "Content"),
        FieldType.CHOICE,
        choices=(
            ("raw", Text("Kun dokumentet", "The document alone")),
            ("multipart", Text("En formular med dokumentet som fil", "A form with the document as a file")),
        ),
        default="raw",
        group=_REQUEST,
    ),
    Field(
        "file_field",
        Text("Formularfelt til dokumentet", "Form field of the document"),
        default="file",
        pattern=_PART_NAME_PATTERN,
        only_when=_MULTIPART,
        group=_REQUEST,
        help=Text("Bogstaver, cifre og . _ - [ ].", "Letters, digits and . _ - [ ]."),
    ),
    replace(FILENAME, only_when=_MULTIPART, group=_REQUEST),
    Field(
        "with_pdf",
        Text("Send også PDF'en", "Send the PDF too"),
        FieldType.BOOLEAN,
        default=False,
        only_when=_MULTIPART,
        group=_REQUEST,
    ),
    Field(
        "pdf_field",
        Text("Formularfelt til PDF'en", "Form field of the PDF"),
        default="pdf",
        pattern=_PART_NAME_PATTERN,
        only_when=_MULTIPART,
        group=_REQUEST,
        help=Text("Bogstaver, cifre og . _ - [ ].", "Letters, digits and . _ - [ ]."),
    ),
    Field(
        "form_fields",
        Text("Flere formularfelter", "Further form fields"),
        FieldType.MULTILINE,
        only_when=_MULTIPART,
        group=_REQUEST,
        help=Text("Ét på hver linje: navn=værdi.", "One on each line: name=value."),
    ),
    Field(
        "headers",
        Text("Faste headere", "Fixed headers"),
        FieldType.MULTILINE,
        group=_REQUEST,
        help=Text(
            "Én på hver linje: Navn: værdi. Adgangskoder hører til under »Adgang«, hvor de gemmes krypteret.",
            "One on each line: Name: value. Passwords belong under “Access”, where they are stored encrypted.",
        ),
    ),
    Field(
        "auth",
        Text("Adgang", "Access"),
        FieldType.CHOICE,
        choices=(
            ("none", Text("Ingen", "None")),
            ("bearer", Text("Token (Bearer)", "Token (Bearer)")),
            ("header", Text("Nøgle i en header", "Key in a header")),
            ("basic", Text("Brugernavn og adgangskode (Basic)", "User name and password (Basic)")),
            ("certificate", Text("Klientcertifikat (mTLS)", "Client certificate (mTLS)")),
        ),
        default="none",
        group=_ACCESS,
    ),
    Field("token", Text("Token", "Token"), secret=True, only_when=("auth", ("bearer",)), group=_ACCESS),
    Field(
        "auth_header",
        Text("Headerens navn", "Name of the header"),
        default="X-Api-Key",
        pattern=HEADER_NAME_PATTERN,
        only_when=("auth", ("header",)),
        group=_ACCESS,
        help=_HEADER_NAME_HELP,
    ),
    Field("auth_value", Text("Nøgle", "Key"), secret=True, only_when=("auth", ("header",)), group=_ACCESS),
    Field(
        "username",
        Text("Brugernavn", "User name"),
        pattern=r"[^:]{1,200}",
        only_when=("auth", ("basic",)),
        group=_ACCESS,
        help=Text("Uden kolon.", "Without colon."),
    ),
    Field("password", Text("Adgangskode", "Password"), secret=True, only_when=("auth", ("basic",)), group=_ACCESS),
    Field(
        "certificate",
        Text("Vores certifikat", "Our certificate"),
        FieldType.MULTILINE,
        only_when=("auth", ("certificate",)),
        group=_ACCESS,
        help=Text(
            "I PEM-form, med mellemliggende certifikater under, hvis der er nogen.",
            "In PEM, with intermediate certificates below it where there are any.",
        ),
    ),
    Field(
        "private_key",
        Text("Certifikatets private nøgle", "Private key of the certificate"),
        FieldType.MULTILINE,
        secret=True,
        is_kept_here=True,
        only_when=("auth", ("certificate",)),
        group=_ACCESS,
        help=Text("I PEM-form, uden adgangskode.", "In PEM, without a passphrase."),
    ),
    Field(
        "signature",
        Text("Signatur", "Signature"),
        FieldType.CHOICE,
        choices=(("none", Text("Ingen", "None")), ("hmac-sha256", Text("HMAC-SHA256", "HMAC-SHA256"))),
        default="none",
        group=_SIGNATURE,
        help=Text(
            "Lader modtageren se, at indholdet kommer fra jer og er uændret.",
            "Lets the receiver see that the content comes from you and is unchanged.",
        ),
    ),
    Field(
        "signature_key",
        Text("Fælles nøgle", "Shared key"),
        secret=True,
        is_kept_here=True,
        only_when=("signature", ("hmac-sha256",)),
        group=_SIGNATURE,
    ),
    Field(
        "signature_header",
        Text("Header med signaturen", "Header of the signature"),
        default="X-Signature",
        pattern=HEADER_NAME_PATTERN,
        only_when=("signature", ("hmac-sha256",)),
        group=_SIGNATURE,
        help=_HEADER_NAME_HELP,
    ),
    Field(
        "timestamp_header",
        Text("Header med tidspunktet", "Header of the time"),
        default="X-Timestamp",
        pattern=HEADER_NAME_PATTERN,
        only_when=("signature", ("hmac-sha256",)),
        group=_SIGNATURE,
        help=_HEADER_NAME_HELP,
    ),
    Field(
        "success",
        Text("Koder, der betyder modtaget", "Codes that mean received"),
        default="200-299",
        group=_ANSWER,
        help=Text(
            "F.eks. 200-299 eller 201,202. Også 409, hvis modtageren dermed siger »har jeg allerede«.",
            "For example 200-299 or 201,202. Also 409, where the receiver says “I have it already” by it.",
        ),
    ),
    Field(
        "answer_check",
        Text("Kontrol af svaret", "Check of the answer"),
        FieldType.CHOICE,
        choices=(
            ("none", Text("Koden er nok", "The code is enough")),
            ("text", Text("Svaret skal indeholde en tekst", "The answer must hold a text")),
            ("json", Text("Et felt i svaret skal have en værdi", "A field of the answer must have a value")),
        ),
        default="none",
        group=_ANSWER,
    ),
    Field("answer_text", Text("Teksten", "The text"), only_when=("answer_check", ("text",)), group=_ANSWER),
    Field(
        "answer_pointer",
        Text("Feltet", "The field"),
        only_when=("answer_check", ("json",)),
        group=_ANSWER,
        help=_POINTER_HELP,
    ),
    Field("answer_value", Text("Værdien", "The value"), only_when=("answer_check", ("json",)), group=_ANSWER),
    Field(
        "reference_pointer",
        Text("Modtagerens reference i svaret", "The receiver's reference in the answer"),
        group=_ANSWER,
        help=Text(
            "En JSON-pointer, f.eks. /data/id. Tom: headeren Location, hvis svaret har den.",
            "A JSON pointer, for example /data/id. Empty: the header Location, where the answer has it.",
        ),
    ),
    Field(
        "status_url",
        Text("Adresse, hvor et dokument kan slås op", "Address where a document can be looked up"),
        FieldType.URL,
        is_address=True,
        group=_LOST,
        help=Text(
            "Med {key}, f.eks. https://firma.dk/api/fakturaer/{key}. {key} er værdien i Idempotency-Key. "
            "Svarer den 404 eller 410, er dokumentet ikke nået frem, og så sendes det igen.",
            "With {key}, for example https://company.com/api/invoices/{key}. {key} is the value of Idempotency-Key. "
            "Where it answers 404 or 410, the document has not arrived, and it is sent again.",
        ),
    ),
    Field(
        "status_text",
        Text("Svaret på opslaget skal indeholde", "The answer to the look-up must hold"),
        group=_LOST,
        help=Text("Tom: koden 200 er nok.", "Empty: the code 200 is enough."),
    ),
    Field(
        "recognises",
        Text("Modtageren genkender Idempotency-Key", "The receiver recognises Idempotency-Key"),
        FieldType.BOOLEAN,
        default=False,
        group=_LOST,
        help=Text(
            "Spørg modtageren. Så sendes der igen af sig selv med samme nøgle, når et svar går tabt.",
            "Ask the receiver. A lost answer is then followed by another try with the same key, without asking you.",
        ),
    ),
    CA_CERTIFICATE,
    CONNECTIONS,
)

KEY_PAIRS = (KeyPair(Text("Klientcertifikat", "Client certificate"), "certificate", "private_key"),)
