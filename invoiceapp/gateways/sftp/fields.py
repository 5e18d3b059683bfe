"""What a user fills in for an SFTP gateway."""

from __future__ import annotations

from invoiceapp.domain.fields import Field, FieldType, grouped
from invoiceapp.domain.findings import Text
from invoiceapp.gateways.common_fields import CONNECTIONS, HOST_PATTERN
from invoiceapp.gateways.file_drop import FIELDS as FILE_FIELDS

#: Optional key type, then what ``ssh-keygen -l`` prints: base64 of SHA-256 without padding.
HOST_KEY_PATTERN = r"(?:(?:ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp(?:256|384|521)) )?SHA256:[A-Za-z0-9+/]{43}"

_SERVER = (
    Field(
        "host",
        Text("Server", "Server"),
        required=True,
        is_address=True,
        pattern=HOST_PATTERN,
        help=Text(
            "Navn eller IP-adresse alene, f.eks. sftp.firma.dk: uden sftp:// foran og uden mappe.",
            "Name or IP address alone, for example sftp.company.com: without sftp:// before it, and without a folder.",
        ),
    ),
    Field("port", Text("Port", "Port"), FieldType.INTEGER, default=22, smallest=1, largest=65_535),
    Field(
        "host_key",
        Text("Serverens fingeraftryk", "Fingerprint of the server"),
        pattern=HOST_KEY_PATTERN,
        help=Text(
            "Lad feltet stå tomt, og gem: forbindelsestesten viser serverens fingeraftryk og sætter det ind, når du stoler på det. "
            "Skriver du det selv: SHA256: og 43 tegn.",
            "Leave it empty, and save: the connection test shows the server's fingerprint, and puts it here once you trust it. "
            "If you write it yourself: SHA256: and 43 characters.",
        ),
    ),
)
_LOGIN = (
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
        is_kept_here=True,
        help=Text(
            "Hele nøglefilen i OpenSSH- eller PEM-form, med linjerne BEGIN og END.",
            "The whole key file in OpenSSH or PEM form, with its BEGIN and END lines.",
        ),
    ),
    Field("passphrase", Text("Nøglens adgangskode", "Passphrase of the key"), secret=True, is_kept_here=True),
)

FIELDS = (
    *grouped(Text("Server", "Server"), _SERVER),
    *grouped(Text("Login", "Login"), _LOGIN),
    *FILE_FIELDS,
    CONNECTIONS,
)
