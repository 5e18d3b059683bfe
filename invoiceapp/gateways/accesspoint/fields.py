"""What a user fills in to describe a provider's API."""

from __future__ import annotations

from dataclasses import replace

from invoiceapp.domain.fields import Field, FieldType
from invoiceapp.domain.findings import Text
from invoiceapp.gateways.common_fields import CA_CERTIFICATE
from invoiceapp.gateways.http.fields import FIELDS as HTTP_FIELDS
from invoiceapp.gateways.http.fields import HEADER_NAME_PATTERN
from invoiceapp.gateways.providers import ANSWER_HOURS, address_fields

#: Beginnings of the names of headers in which providers put a signature: those that are kept of a message.
SIGNATURE_HEADERS = frozenset({"signature", "x-signature", "x-hub-signature", "x-webhook-signature"})

_SUBMIT = Text("Aflevering", "Submission")
_ANSWER = Text("Svaret", "The answer")
_STATUS = Text("Hvad der blev af det", "What became of it")
_LOOKUP = Text("Kan kunden modtage?", "Can the customer receive?")
_LOST = Text("Efter et mistet svar", "After a lost answer")
_CALLBACK = Text("Udbyderens egne beskeder (webhook)", "The provider's own messages (webhook)")

_WITH_NAMES = ("body", ("json", "multipart"))
_HTTP = {field.name: field for field in HTTP_FIELDS}
_AUTH = tuple(choice for choice in _HTTP["auth"].choices if choice[0] in ("bearer", "header", "basic"))
_JSON_PATH = Text(
    "Navnet i svarets JSON, f.eks. id, eller data.id for »id« inde i »data«.",
    "The name in the answer's JSON, for example id, or data.id for “id” inside “data”.",
)
_WORDS = Text("Adskilt af komma. Store og små bogstaver er ens.", "Separated by commas. Capitals do not matter.")


def _path(name: str, label: Text, example: Text, group: Text, **more: object) -> Field:
    text = Text(f"Efter adressen ovenfor. {example.da}", f"After the address above. {example.en}")
    return Field(name, label, help=text, group=group, **more)  # type: ignore[arg-type]


FIELDS = (
    *address_fields({}),
    Field(
        "reach",
        Text("Netværk", "Networks"),
        FieldType.CHOICE,
        required=True,
        choices=(
            ("peppol", Text("Peppol", "Peppol")),
            ("nemhandel", Text("NemHandel", "NemHandel")),
            ("both", Text("Begge", "Both")),
        ),
        default="peppol",
        help=Text("Dem, aftalen med udbyderen gælder.", "Those that the agreement with the provider covers."),
    ),
    replace(_HTTP["auth"], choices=_AUTH, default="bearer"),
    *(_HTTP[name] for name in ("token", "auth_header", "auth_value", "username", "password")),
    _path(
        "submit_path",
        Text("Sti til aflevering", "Path of the submission"),
        Text(
            "F.eks. documents. Kan rumme {key}, {sender_scheme}, {sender}, {receiver_scheme} og {receiver}.",
            "For example documents. May hold {key}, {sender_scheme}, {sender}, {receiver_scheme} and {receiver}.",
        ),
        _SUBMIT,
        required=True,
        default="documents",
    ),
    replace(_HTTP["method"], group=_SUBMIT),
    Field(
        "body",
        Text("Indhold", "Content"),
        FieldType.CHOICE,
        choices=(
            ("raw", Text("Kun dokumentet (XML)", "The document alone (XML)")),
            ("json", Text("JSON med dokumentet i base64", "JSON with the document in base64")),
            ("multipart", Text("En formular med dokumentet som fil", "A form with the document as a file")),
        ),
        default="raw",
        group=_SUBMIT,
    ),
    Field(
        "document_field",
        Text("Felt til dokumentet", "Field of the document"),
        default="document",
        pattern=r"[A-Za-z0-9_.\[\]-]{1,80}",
        only_when=_WITH_NAMES,
        help=Text(
            "Bogstaver, cifre og . _ - [ ]. I JSON går punktum ind i et felt: data.xml.",
            "Letters, digits and . _ - [ ]. In JSON a dot goes into a field: data.xml.",
        ),
        group=_SUBMIT,
    ),
    Field(
        "form_fields",
        Text("Flere felter", "Further fields"),
        FieldType.MULTILINE,
        only_when=_WITH_NAMES,
        help=Text(
            "Ét på hver linje: navn=værdi. Værdien kan rumme det samme som stien.",
            "One on each line: name=value. The value may hold the same as the path.",
        ),
        group=_SUBMIT,
    ),
    replace(
        _HTTP["headers"],
        help=Text(
            "Én på hver linje: Navn: værdi. Værdien kan rumme det samme som stien.",
            "One on each line: Name: value. The value may hold the same as the path.",
        ),
        group=_SUBMIT,
    ),
    Field(
        "key_header",
        Text("Header med vores nøgle", "Header of our key"),
        default="Idempotency-Key",
        pattern=HEADER_NAME_PATTERN,
        help=Text("Bogstaver, cifre og bindestreger.", "Letters, digits and dashes."),
        group=_SUBMIT,
    ),
    Field(
        "schemes",
        Text("Udbyderens navne for adresser", "The provider's names of addresses"),
        FieldType.MULTILINE,
        help=Text(
            "Én på hver linje, f.eks. 0184=DK:CVR og 0088=GLN. Tom: tallene bruges, som de er.",
            "One on each line, for example 0184=DK:CVR and 0088=GLN. Empty: the numbers are used as they are.",
        ),
        group=_SUBMIT,
    ),
    Field(
        "id_path",
        Text("Dokumentets id i svaret", "The document's id in the answer"),
        default="id",
        help=_JSON_PATH,
        group=_ANSWER,
    ),
    Field(
        "id_header",
        Text("Eller i en header", "Or in a header"),
        pattern=HEADER_NAME_PATTERN,
        help=Text("F.eks. Location. Går forud for JSON.", "For example Location. Goes before JSON."),
        group=_ANSWER,
    ),
    Field(
        "state_path", Text("Tilstanden i svaret", "The state in the answer"), default="status", help=_JSON_PATH,
        group=_ANSWER,
    ),
    Field("reason_path", Text("Begrundelsen i svaret", "The reason in the answer"), help=_JSON_PATH, group=_ANSWER),
    Field(
        "delivered_words", Text("Ord for afleveret til netværket", "Words for handed to the network"),
        default="delivered, sent", help=_WORDS, group=_ANSWER,
    ),
    Field(
        "rejected_words", Text("Ord for afvist", "Words for rejected"), default="failed, rejected", help=_WORDS,
        group=_ANSWER,
    ),
    Field(
        "waiting_words", Text("Ord for på vej", "Words for on its way"), default="pending, queued, processing",
        help=_WORDS, group=_ANSWER,
    ),
    _path(
        "status_path",
        Text("Sti til et dokuments tilstand", "Path of a document's state"),
        Text(
            "F.eks. documents/{id}/status; {key} kan også bruges. Tom: der kan ikke spørges.",
            "For example documents/{id}/status; {key} can be used too. Empty: it cannot be asked.",
        ),
        _STATUS,
    ),
    ANSWER_HOURS,
    _path(
        "lookup_path",
        Text("Sti til opslag af modtagere", "Path to look receivers up"),
        Text(
            "F.eks. participants/{scheme}/{value}. Tom: der kan ikke spørges.",
            "For example participants/{scheme}/{value}. Empty: it cannot be asked.",
        ),
        _LOOKUP,
    ),
    Field(
        "lookup_answer",
        Text("Feltet, der siger ja eller nej", "The field that says yes or no"),
        help=Text(
            "Navnet i svarets JSON, f.eks. canReceive. Tom: 200 er ja, og 404 er nej.",
            "The name in the answer's JSON, for example canReceive. Empty: 200 is yes, and 404 is no.",
        ),
        group=_LOOKUP,
    ),
    Field("lookup_yes", Text("Værdien for ja", "The value for yes"), default="true", group=_LOOKUP),
    Field(
        "repeats",
        Text("Når samme nøgle kommer igen", "When the same key comes again"),
        FieldType.CHOICE,
        required=True,
        choices=(
            ("none", Text("Udbyderen tager det som et nyt dokument", "The provider takes it for a new document")),
            ("conflict", Text("Udbyderen svarer 409: har jeg allerede", "The provider answers 409: I have it already")),
            ("recognised", Text("Udbyderen giver det første svar igen", "The provider gives the first answer again")),
            ("asked", Text("Vi kan spørge udbyderen om nøglen først", "We can ask the provider for the key first")),
        ),
        default="none",
        help=Text(
            "Spørg udbyderen. Vælger I forkert, kan en kunde få samme faktura to gange.",
            "Ask the provider. With the wrong choice a customer may get the same invoice twice.",
        ),
        group=_LOST,
    ),
    _path(
        "find_path",
        Text("Sti til at spørge om nøglen", "Path to ask for the key"),
        Text(
            "F.eks. documents/by-key/{key}. 404 betyder, at den ikke har dokumentet.",
            "For example documents/by-key/{key}. 404 means that it does not have the document.",
        ),
        _LOST,
        only_when=("repeats", ("asked",)),
    ),
    Field(
        "webhook_secret",
        Text("Fælles nøgle (HMAC)", "Shared key (HMAC)"),
        secret=True,
        is_kept_here=True,
        help=Text(
            "Tom: beskederne er kun et vink om at spørge udbyderen.",
            "Empty: the messages are only a hint to ask the provider.",
        ),
        group=_CALLBACK,
    ),
    Field(
        "webhook_header",
        Text("Header med signaturen", "Header of the signature"),
        default="X-Signature",
        pattern=rf"(?i:({'|'.join(sorted(SIGNATURE_HEADERS))})[a-z0-9-]{{0,40}})",
        help=Text(
            "HMAC-SHA256 af hele indholdet, skrevet hexadecimalt. Navnet begynder med Signature, X-Signature, X-Hub-Signature "
            "eller X-Webhook-Signature.",
            "HMAC-SHA256 of the whole content, in hexadecimal. The name begins with Signature, X-Signature, X-Hub-Signature or "
            "X-Webhook-Signature.",
        ),
        group=_CALLBACK,
    ),
    Field(
        "webhook_id_path", Text("Dokumentets id i beskeden", "The document's id in the message"), default="id",
        help=_JSON_PATH, group=_CALLBACK,
    ),
    Field(
        "webhook_state_path", Text("Tilstanden i beskeden", "The state in the message"), default="status",
        help=_JSON_PATH, group=_CALLBACK,
    ),
    CA_CERTIFICATE,
)  # fmt: skip
