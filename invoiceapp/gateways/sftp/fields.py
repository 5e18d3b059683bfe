"""What a user fills in for an SFTP gateway."""

from __future__ import annotations

from invoiceapp.domain.fields import Field, FieldType
from invoiceapp.domain.findings import Text

DEFAULT_FILENAME = "{type}_{number}_{key8}"

#: Optional key type, then what ``ssh-keygen -l`` prints: base64 of SHA-256 without padding.
HOST_KEY_PATTERN = r"(?:(?:ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp(?:256|384|521)) )?SHA256:[A-Za-z0-9+/]{43}"

FIELDS = (
    Field(
        "host",
        Text("Server", "Server"),
        required=True,
        is_address=True,
        pattern=r"[A-Za-z0-9.:-]{1,253}",
        help=Text("Navn eller IP-adresse, f.eks. sftp.firma.dk.", "Name or IP address, for example sftp.company.com."),
    ),
    Field("port", Text("Port", "Port"), FieldType.INTEGER, default=22, smallest=1, largest=65_535),
    Field("username", Text("Brugernavn", "User name"), required=True),
    Field(
        "password",
        Text("Adgangskode", "Password"),
        secret=True,
        help=Text("Udfyld adgangskode, privat nøgle eller begge dele.", "Fill in password, private key or both."),
    ),
    Field(
        "private_key",
        Text("Privat nøgle", "Private key"),
        FieldType.MULTILINE,
        secret=True,
        help=Text(
            "Hele nøglefilen i OpenSSH- eller PEM-form, med linjerne BEGIN og END.",
            "The whole key file in OpenSSH or PEM form, with its BEGIN and END lines.",
        ),
    ),
    Field("passphrase", Text("Nøglens adgangskode", "Passphrase of the key"), secret=True),
    Field(
        "host_key",
        Text("Serverens fingeraftryk", "Fingerprint of the server"),
        pattern=HOST_KEY_PATTERN,
        help=Text(
            "Begynder med SHA256: og er på 43 tegn. Kør forbindelsestesten for at se serverens fingeraftryk, "
            "og sammenlign det med det, modtageren har oplyst.",
            "Begins with SHA256: and has 43 characters. Run the connection test to see the server's fingerprint, "
            "and compare it with what the receiver told you.",
        ),
    ),
    Field(
        "folder",
        Text("Mappe", "Folder"),
        default=".",
        pattern=r"[^\\]{1,200}",
        help=Text(
            "Mappen på serveren, f.eks. /ind. Tom: din startmappe.", "On the server, e.g. /in. Empty: your home."
        ),
    ),
    Field(
        "filename",
        Text("Filnavn", "File name"),
        FieldType.FILE_NAME,
        default=DEFAULT_FILENAME,
        help=Text(
            "Bogstaver, cifre, punktum, bindestreg, understreg og {type}, {number}, {date}, {customer}, {customer-number}, "
            "{order}, {key8}; mindst {number} eller {key8}. Endelsen (.xml) kommer af sig selv. En kunde kan have sit eget "
            "filnavn i kundens indstillinger.",
            "Letters, digits, dot, dash, underscore and {type}, {number}, {date}, {customer}, {customer-number}, {order}, "
            "{key8}; at least {number} or {key8}. The ending (.xml) is added. A customer can have a file name of its own in "
            "the customer's settings.",
        ),
    ),
    Field(
        "existing",
        Text("Hvis en anden fil har samme navn", "If another file has the same name"),
        FieldType.CHOICE,
        choices=(
            ("fail", Text("Stop, og lad filen ligge", "Stop and leave that file alone")),
            ("replace", Text("Erstat filen", "Replace that file")),
        ),
        default="fail",
        help=Text("En fil med samme indhold er altid i orden.", "A file with the same content is always fine."),
    ),
    Field(
        "consumes",
        Text("Modtageren fjerner filerne straks", "The receiver removes files at once"),
        FieldType.BOOLEAN,
        default=False,
        help=Text(
            "Så kan en fil ikke genkendes efter et mistet svar, og du bliver spurgt, før der sendes igen.",
            "A file can then not be recognised after a lost answer, and you are asked before it is sent again.",
        ),
    ),
    Field("with_pdf", Text("Læg PDF'en ved siden af", "Put the PDF beside it"), FieldType.BOOLEAN, default=False),
)
