"""What a user fills in for an AS2 gateway."""

from __future__ import annotations

from invoiceapp.domain.fields import Field, FieldType
from invoiceapp.domain.findings import Text
from invoiceapp.gateways.common_fields import CA_CERTIFICATE, CONNECTIONS

from .certificates import LABELS
from .identity import NAME_PATTERN
from .message import DEFAULT_SUBJECT

_SECURITY = Text("Signatur og kryptering", "Signature and encryption")
_OWN = Text("Vores certifikat", "Our certificate")
_PARTNER = Text("Partnerens certifikat", "The partner's certificate")
_RECEIPT = Text("Kvitteringen", "The receipt")
_LOGIN = Text("Login på partnerens server", "Login at the partner's server")

_ENCRYPTED = ("encrypt", ("aes128-cbc", "aes256-cbc", "aes128-gcm", "aes256-gcm"))
_WITH_RECEIPT = ("mdn", ("sync", "async"))
_PEM = Text(
    "I PEM-form, med linjerne BEGIN CERTIFICATE og END CERTIFICATE.",
    "In PEM, with its lines BEGIN CERTIFICATE and END CERTIFICATE.",
)
_MADE_HERE = Text(
    "Lad felterne stå tomme, og gem: certifikat og nøgle laves bagefter under »Certifikater« på gatewayens side. Har I dem i "
    "forvejen, kan de hentes ind samme sted eller indsættes her i PEM-form.",
    "Leave these empty, and save: certificate and key are made afterwards under “Certificates” on the page of the gateway. "
    "Where you have them, import them there, or paste them here in PEM.",
)
_UPLOADED = Text(
    "Lad feltet stå tomt, og gem: partnerens fil lægges op under »Certifikater« på gatewayens side, hvor fingeraftrykket "
    "vises. Den kan også indsættes her i PEM-form.",
    "Leave it empty, and save: upload the partner's file under “Certificates” on the page of the gateway, which shows the "
    "fingerprint. It can also be pasted here in PEM.",
)
_NAME_HELP = Text(
    "Præcis som aftalt; store og små bogstaver tæller. Bogstaver uden æ, ø, å, cifre og tegn, højst 128.",
    "Exactly as agreed; capitals count. Unaccented letters, digits and signs, 128 at most.",
)
_KEY_HELP = Text(
    "I PEM-form, uden adgangskode. Den forlader aldrig systemet.",
    "In PEM, without a passphrase. It never leaves this system.",
)

FIELDS = (
    Field(
        "url",
        Text("Partnerens adresse", "The partner's address"),
        FieldType.URL,
        required=True,
        is_address=True,
        help=Text(
            "Partneren oplyser den, f.eks. https://as2.firma.dk/as2.",
            "The partner gives it to you, for example https://as2.company.com/as2.",
        ),
    ),
    Field("as2_from", Text("Vores AS2-navn", "Our AS2 name"), required=True, pattern=NAME_PATTERN, help=_NAME_HELP),
    Field(
        "as2_to",
        Text("Partnerens AS2-navn", "The partner's AS2 name"),
        required=True,
        pattern=NAME_PATTERN,
        help=_NAME_HELP,
    ),
    Field(
        "subject",
        Text("Emne", "Subject"),
        default=DEFAULT_SUBJECT,
        pattern=r"(?:[^{}]|\{(?:number|type|sender|receiver)\}){1,200}",
        help=Text(
            "Kan rumme {number}, {type} (Faktura eller Kreditnota), {sender} og {receiver}.",
            "May hold {number}, {type} (Faktura or Kreditnota), {sender} and {receiver}.",
        ),
    ),
    Field("sign", Text("Signér", "Sign"), FieldType.BOOLEAN, default=True, group=_SECURITY),
    Field(
        "digest",
        Text("Kontrolsum", "Checksum"),
        FieldType.CHOICE,
        choices=tuple(
            (name, Text(shown, shown))
            for name, shown in (("sha256", "SHA-256"), ("sha384", "SHA-384"), ("sha512", "SHA-512"))
        ),
        default="sha256",
        group=_SECURITY,
    ),
    Field(
        "encrypt",
        Text("Kryptering", "Encryption"),
        FieldType.CHOICE,
        choices=(
            ("none", Text("Ingen", "None")),
            ("aes128-cbc", Text("AES-128 (CBC)", "AES-128 (CBC)")),
            ("aes256-cbc", Text("AES-256 (CBC)", "AES-256 (CBC)")),
            ("aes128-gcm", Text("AES-128 (GCM)", "AES-128 (GCM)")),
            ("aes256-gcm", Text("AES-256 (GCM)", "AES-256 (GCM)")),
        ),
        default="aes256-cbc",
        group=_SECURITY,
        help=Text(
            "Næsten alle kan CBC. Vælg GCM, hvis partneren kan.",
            "Nearly everybody knows CBC. Choose GCM where the partner can.",
        ),
    ),
    Field(
        "key_transport",
        Text("Indpakning af nøglen", "Wrapping of the key"),
        FieldType.CHOICE,
        choices=(
            ("pkcs1v15", Text("RSA PKCS#1 v1.5 (som regel)", "RSA PKCS#1 v1.5 (usually)")),
            ("oaep", Text("RSA-OAEP med SHA-256", "RSA-OAEP with SHA-256")),
        ),
        default="pkcs1v15",
        only_when=_ENCRYPTED,
        group=_SECURITY,
    ),
    Field("compress", Text("Komprimér", "Compress"), FieldType.BOOLEAN, default=False, group=_SECURITY),
    Field(
        "transfer_encoding",
        Text("Indpakning af dokumentet", "Wrapping of the document"),
        FieldType.CHOICE,
        choices=(
            ("base64", Text("base64 (tåles af alle)", "base64 (everybody can take it)")),
            ("binary", Text("binær (fylder mindre)", "binary (smaller)")),
        ),
        default="base64",
        group=_SECURITY,
    ),
    Field("own_certificate", LABELS["own_certificate"], FieldType.MULTILINE, help=_MADE_HERE, group=_OWN),
    Field(
        "own_key",
        Text("Vores private nøgle", "Our private key"),
        FieldType.MULTILINE,
        secret=True,
        is_kept_here=True,
        help=_KEY_HELP,
        group=_OWN,
    ),
    Field("own_next_certificate", LABELS["own_next_certificate"], FieldType.MULTILINE, help=_PEM, group=_OWN),
    Field(
        "own_next_key",
        Text("Vores næste private nøgle", "Our next private key"),
        FieldType.MULTILINE,
        secret=True,
        is_kept_here=True,
        help=_KEY_HELP,
        group=_OWN,
    ),
    Field(
        "own_switch_on",
        Text("Skift til vores næste", "Switch to our next one"),
        FieldType.DATE,
        group=_OWN,
        help=Text(
            "Fra denne dato signeres med det næste. Aftal datoen med partneren.",
            "From this date on we sign with the next one. Agree on the date with the partner.",
        ),
    ),
    Field("partner_certificate", LABELS["partner_certificate"], FieldType.MULTILINE, help=_UPLOADED, group=_PARTNER),
    Field(
        "partner_next_certificate", LABELS["partner_next_certificate"], FieldType.MULTILINE, help=_PEM, group=_PARTNER
    ),
    Field(
        "partner_switch_on",
        Text("Skift til partnerens næste", "Switch to the partner's next one"),
        FieldType.DATE,
        group=_PARTNER,
        help=Text(
            "Fra denne dato krypteres med det næste. Kvitteringer godkendes med begge fra 30 dage før til 30 dage efter.",
            "From this date on we encrypt with the next one. Receipts are accepted with both from 30 days before to 30 days after.",
        ),
    ),
    Field(
        "mdn",
        Text("Kvittering (MDN)", "Receipt (MDN)"),
        FieldType.CHOICE,
        choices=(
            ("sync", Text("Straks, i samme forbindelse", "At once, in the same connection")),
            ("async", Text("Senere, til vores adresse", "Later, to our address")),
            ("none", Text("Ingen", "None")),
        ),
        default="sync",
        group=_RECEIPT,
    ),
    Field(
        "mdn_signed",
        Text("Kvitteringen skal være signeret", "The receipt must be signed"),
        FieldType.BOOLEAN,
        default=True,
        only_when=_WITH_RECEIPT,
        group=_RECEIPT,
    ),
    Field(
        "mdn_url",
        Text("Vores adresse til kvitteringer", "Our address for receipts"),
        FieldType.URL,
        only_when=("mdn", ("async",)),
        group=_RECEIPT,
        help=Text(
            "Tom: denne installations egen adresse, som står på gatewayens side. Partneren skal kunne nå den fra internettet.",
            "Empty: this installation's own address, which stands on the page of the gateway. The partner must be able to reach "
            "it from the internet.",
        ),
    ),
    Field(
        "mdn_hours",
        Text("Timer, der ventes på kvitteringen", "Hours to wait for the receipt"),
        FieldType.INTEGER,
        default=4,
        smallest=1,
        largest=168,
        only_when=("mdn", ("async",)),
        group=_RECEIPT,
        help=Text(
            "Er den ikke kommet da, bliver du bedt om at spørge partneren.",
            "Where it has not come by then, you are asked to ask the partner.",
        ),
    ),
    Field(
        "dedupes",
        Text("Partneren genkender en gentagen Message-ID", "The partner recognises a repeated Message-ID"),
        FieldType.BOOLEAN,
        default=False,
        group=_RECEIPT,
        help=Text(
            "Spørg partneren. Så sendes der igen af sig selv med samme Message-ID, når et svar går tabt.",
            "Ask the partner. A lost answer is then followed by another try with the same Message-ID, without asking you.",
        ),
    ),
    Field(
        "username",
        Text("Brugernavn", "User name"),
        pattern=r"[^:]{1,200}",
        group=_LOGIN,
        help=Text(
            "Uden kolon. Tomt, hvis partneren ikke kræver login.",
            "Without colon. Empty where the partner wants no login.",
        ),
    ),
    Field("password", Text("Adgangskode", "Password"), secret=True, group=_LOGIN),
    CA_CERTIFICATE,
    CONNECTIONS,
)
