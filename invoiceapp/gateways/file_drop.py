"""What transports share that lay a file in a folder of the receiver's: its settings and its names.

A name comes from the consignment alone, so that a retry meets its own file.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import Any, Protocol, runtime_checkable

from invoiceapp.domain.fields import Field, FieldType, grouped
from invoiceapp.domain.findings import Finding, Text, Turn, warning

from .base import Consignment, Payload, Refused, Rejected, Unavailable, Unknown, safe_filename

DEFAULT_FILENAME = "{type}_{number}_{key8}"
#: How many names a document may try where others have taken them ("suffix").
MOST_NAMES = 50

FILENAME = Field(
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
)
EXISTING = Field(
    "existing",
    Text("Hvis en anden fil har samme navn", "If another file has the same name"),
    FieldType.CHOICE,
    choices=(
        ("fail", Text("Stop, og lad filen ligge", "Stop and leave that file alone")),
        ("replace", Text("Erstat filen", "Replace that file")),
        ("suffix", Text("Læg vores ved siden af med _2, _3 …", "Put ours beside it with _2, _3 …")),
    ),
    default="fail",
    help=Text("En fil med samme indhold er altid i orden.", "A file with the same content is always fine."),
)
CONSUMES = Field(
    "consumes",
    Text("Modtageren fjerner filerne straks", "The receiver removes files at once"),
    FieldType.BOOLEAN,
    default=False,
    help=Text(
        "Så kan en fil ikke genkendes efter et mistet svar, og du bliver spurgt, før der sendes igen.",
        "A file can then not be recognised after a lost answer, and you are asked before it is sent again.",
    ),
)
DONE_MARKER = Field(
    "done_marker",
    Text("Læg en tom .done-fil, når filen er hel", "Put an empty .done file when the file is whole"),
    FieldType.BOOLEAN,
    default=False,
    help=Text(
        "Nogle modtagere læser først en fil, når der ligger en .done-fil ved siden af.",
        "Some receivers read a file only when a .done file lies beside it.",
    ),
)
WITH_PDF = Field("with_pdf", Text("Læg PDF'en ved siden af", "Put the PDF beside it"), FieldType.BOOLEAN, default=False)
#: How a folder of the receiver's is used; under one heading.
FIELDS = grouped(
    Text("Filer og mapper", "Files and folders"),
    (
        Field(
            "folder",
            Text("Mappe", "Folder"),
            default=".",
            pattern=r"[^\\]{1,200}",
            help=Text(
                "Mappen på serveren, f.eks. /ind, med almindelig skråstreg. Tom: den mappe, login fører til.",
                "On the server, e.g. /in, with forward slashes. Empty: the folder that the login leads to.",
            ),
        ),
        FILENAME,
        EXISTING,
        WITH_PDF,
        DONE_MARKER,
        CONSUMES,
    ),
)


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """One file of a consignment and the paths it takes on the server."""

    payload: Payload
    path: str
    part: str
    """Where it lies until it is complete"""
    has_key: bool = False
    """Whether its name holds the start of the key, so that no other document can have that name"""

    def numbered(self, number: int) -> RemoteFile:
        """The same under another name: ``invoice_2.xml``."""
        path = PurePosixPath(self.path)
        return self if number == 1 else replace(self, path=str(path.with_name(f"{path.stem}_{number}{path.suffix}")))


def remote_files(consignment: Consignment, config: Mapping[str, Any]) -> list[RemoteFile]:
    """The document, then its PDFs where the gateway takes them along."""
    key8 = safe_filename(consignment.key[:8])
    stem = consignment.stem(str(config.get("filename") or DEFAULT_FILENAME))
    pdfs = [file for file in consignment.companions if file.media_type == "application/pdf"]
    folder = PurePosixPath(config.get("folder") or ".")
    files: dict[str, RemoteFile] = {}
    for payload in (consignment.payload, *(pdfs if config.get("with_pdf") else ())):
        suffix = PurePosixPath(safe_filename(payload.filename)).suffix
        name = f"{stem}{suffix}"
        if name in files:
            name = f"{stem}_{len(files) + 1}{suffix}"
        files[name] = RemoteFile(payload, str(folder / name), str(folder / f".{key8}.{name}.part"), key8 in name)
    return list(files.values())


def candidates(file: RemoteFile, config: Mapping[str, Any]) -> Iterator[RemoteFile]:
    """The names that a file may take, best first: one, or also ``_2``, ``_3`` … where the settings say so."""
    yield file
    if config.get("existing") == "suffix":
        yield from (file.numbered(number) for number in range(2, MOST_NAMES + 1))


def name_taken(path: str) -> Rejected:
    """Another file has the document's name, and the settings say not to replace it."""
    return Rejected(
        Text(
            f"På serveren ligger allerede en anden fil med navnet »{path}«. Den er ikke rørt. "
            "Bed modtageren om at flytte den, eller ret filnavnet i gatewayens indstillinger, og send igen.",
            f"Another file named “{path}” already lies on the server. It was not touched. "
            "Ask the receiver to move it, or change the file name in the settings of the gateway, and send again.",
        ),
        f"{path} exists with other content",
    )


def pdf_alone(detail: str) -> Unknown:
    """The PDF has, or may have, its final name and the document has not, in a folder that is emptied at once.

    Trying again by itself would deliver the PDF twice.
    """
    return Unknown(
        Text(
            "PDF'en er lagt på serveren, men dokumentet kunne ikke lægges ved siden af. Modtageren kan allerede have hentet "
            "PDF'en alene. Spørg modtageren, før du sender igen: så kommer PDF'en også igen.",
            "The PDF was put on the server, but the document could not be put beside it. The receiver may already have taken "
            "the PDF alone. Ask the receiver before you send again: the PDF will then come again too.",
        ),
        detail,
    )


def name_findings(config: Mapping[str, Any]) -> list[Finding]:
    """A warning where two documents could share a name."""
    if "{key8}" in (config.get("filename") or DEFAULT_FILENAME):
        return []
    return [
        warning(
            "IA-FILENAME-SHARED",
            "Uden {key8} kan to fakturaer få samme filnavn, f.eks. fra to regnskaber med samme nummerserie.",
            "Without {key8} two invoices can get the same file name, e.g. from two books with equal numbers.",
            turn=Turn.HERE,
            fix="gateway.filename",
        )
    ]


def lacks(names: Collection[str], secrets: Collection[str], text: Text) -> dict[str, Text]:
    """Complaints where none of these secrets is given."""
    return {} if {*names} & {*secrets} else dict.fromkeys(names, text)


@runtime_checkable
class Mailbox(Protocol):
    """A transport whose server also has folders to read: partners lay their answers there.

    Every method raises a ``TransportError``. Paths are absolute on the server, with ``/``.
    """

    def list_files(self, folder: str) -> list[tuple[str, int]]:
        """Name and bytes of each file in the folder, folders left out."""
        ...

    def read_file(self, path: str, most: int) -> bytes:
        """The content, its first ``most`` bytes at most."""
        ...

    def move_file(self, path: str, new_path: str) -> None:
        """Give it another name, in place of what has that name; makes the new folder where there is none."""
        ...

    def remove_file(self, path: str) -> None:
        """Take it away; fine where it is gone already."""
        ...


def inbox_closed(folder: str, detail: str) -> Refused:
    """The folder with answers is not there, or not for us."""
    return Refused(
        Text(
            f"Mappen »{folder}« kan ikke læses på serveren: den findes ikke, eller brugeren har ikke adgang. Ret mappen, eller "
            "bed operatøren om adgang.",
            f"The folder “{folder}” cannot be read on the server: it does not exist, or the user has no access. Correct it, or "
            "ask the operator for access.",
        ),
        detail,
    )


def inbox_unanswered(detail: str) -> Unavailable:
    """The server did not do what was asked of the folder with answers."""
    return Unavailable(
        Text(
            "Svarene kunne ikke hentes fra serveren. Intet er gået tabt; vi prøver igen af os selv.",
            "The answers could not be collected from the server. Nothing is lost; we try again by ourselves.",
        ),
        detail,
    )


def lost_rename(error: Exception) -> Unknown:
    """The file is complete, its final name was asked for and no answer came."""
    return Unknown(
        Text(
            "Forbindelsen brød, lige da filen fik sit endelige navn. Den kan være leveret. "
            "Spørg modtageren, før du sender igen.",
            "The connection broke just as the file got its final name. It may have been delivered. "
            "Ask the receiver before you send again.",
        ),
        f"rename: {type(error).__name__}: {error}",
    )


def while_marking(error: Exception, marker: str) -> Unknown:
    """The document has its final name; whether the ``.done`` file lies beside it is not known, or it does not."""
    return Unknown(
        Text(
            f"Filen er leveret, men det er ikke sikkert, at »{marker}« ligger ved siden af. Uden den læser modtageren måske "
            "ikke filen. Spørg modtageren, før du sender igen.",
            f"The file was delivered, but it is not certain that “{marker}” lies beside it. Without it the receiver may not "
            "read the file. Ask the receiver before you send again.",
        ),
        f"{marker}: {type(error).__name__}: {error}",
    )


def vanished(path: str) -> Unknown:
    """A temporary file that was written whole is gone: somebody took it under that name."""
    return Unknown(
        Text(
            f"Filen blev lagt på serveren som »{path}«, men forsvandt, før den fik sit endelige navn. Modtageren kan have "
            "hentet den. Spørg modtageren, før du sender igen.",
            f"The file was put on the server as “{path}” but disappeared before it got its final name. The receiver may have "
            "taken it. Ask the receiver before you send again.",
        ),
        f"{path} is gone",
    )
