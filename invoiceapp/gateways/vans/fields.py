"""What a user fills in for a VANS gateway: the mailboxes and the answers; the connection is the carriers' own."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from invoiceapp.domain.fields import Field, FieldType
from invoiceapp.domain.file_names import TemplateInvalid, check, safe_filename
from invoiceapp.domain.findings import Text

from . import carriers

_MAILBOX_PATTERN = r"[A-Za-z0-9._-]{1,35}"
_DEFAULT_FILENAME = "{type}_{number}_{key8}"
_ANSWERS = Text("Svar fra modtageren", "Answers of the receiver")


class Expects(StrEnum):
    """What the receiver answers to every interchange."""

    NOTHING = "none"
    CONTRL = "contrl"
    APERAK = "aperak"


class Afterwards(StrEnum):
    """What becomes of an answer on the server once it is stored here."""

    REMOVE = "remove"
    MOVE = "move"


#: Folder below the inbox, for ``Afterwards.MOVE``.
DONE = "done"


def _own() -> tuple[Field, ...]:
    collected = (carriers.CARRIER, carriers.collecting_kinds())
    return (
        Field(
            carriers.CARRIER,
            Text("Forbindelse", "Connection"),
            FieldType.CHOICE,
            required=True,
            choices=carriers.choices(),
            default=carriers.KINDS[0],
            help=Text("Hvordan operatøren tager imod filer.", "How the operator takes files."),
        ),
        Field(
            "mailbox",
            Text("Vores postkasse", "Our mailbox"),
            required=True,
            pattern=_MAILBOX_PATTERN,
            help=Text(
                "Som regel jeres GLN-nummer: 13 cifre uden mellemrum. En EDIFACT-fil, der har en anden afsender, sendes ikke.",
                "Usually your GLN: 13 digits without spaces. An EDIFACT file that has another sender is not sent.",
            ),
        ),
        Field(
            "partner_mailbox",
            Text("Operatørens eller kundens postkasse", "Mailbox of the operator or customer"),
            pattern=_MAILBOX_PATTERN,
            help=Text(
                "Kun til filnavnet ({partner}): bogstaver uden æ, ø, å, cifre, . _ og -. Hvem filen er til, står i filen selv.",
                "For the file name only ({partner}): unaccented letters, digits, . _ and -. Who the file is for stands in the file itself.",
            ),
        ),
        Field(
            carriers.FILENAME,
            Text("Filnavn", "File name"),
            default=_DEFAULT_FILENAME,
            help=Text(
                "Bogstaver, cifre, punktum, bindestreg, understreg og {mailbox}, {partner}, {type}, {number}, {date}, "
                "{customer}, {customer-number}, {order}, {key8}; mindst {number} eller {key8}. Endelsen kommer af sig selv.",
                "Letters, digits, dot, dash, underscore and {mailbox}, {partner}, {type}, {number}, {date}, {customer}, "
                "{customer-number}, {order}, {key8}; at least {number} or {key8}. The ending is added.",
            ),
        ),
        Field(
            "expects",
            Text("Modtageren svarer med", "The receiver answers with"),
            FieldType.CHOICE,
            choices=(
                (Expects.NOTHING.value, Text("Ingenting", "Nothing")),
                (Expects.CONTRL.value, Text("CONTRL: filen kan læses", "CONTRL: the file can be read")),
                (Expects.APERAK.value, Text("APERAK: fakturaen er godkendt eller afvist", "APERAK: the invoice is taken or not")),
            ),
            default=Expects.NOTHING.value,
            only_when=collected,
            group=_ANSWERS,
            help=Text(
                "Med et svar sendes kun EDIFACT gennem gatewayen, og et dokument er først modtaget, når svaret er kommet.",
                "With an answer the gateway sends EDIFACT only, and a document is received only when the answer has come.",
            ),
        ),
        Field(
            "answer_hours",
            Text("Svar senest efter (timer)", "Answer at the latest after (hours)"),
            FieldType.INTEGER,
            default=24,
            smallest=1,
            largest=240,
            only_when=("expects", (Expects.CONTRL.value, Expects.APERAK.value)),
            group=_ANSWERS,
            help=Text(
                "Er svaret ikke kommet da, ved vi ikke, hvad der blev af dokumentet, og det vises.",
                "If the answer has not come by then, we do not know what became of the document, and say so.",
            ),
        ),
        Field(
            "inbox",
            Text("Mappe med svar", "Folder with answers"),
            pattern=r"/[^\\]{0,199}",
            only_when=collected,
            group=_ANSWERS,
            help=Text(
                "Hele stien på operatørens server, hvor svarene lægges til jer. Begynder med /, f.eks. /ud. Tom: der hentes ingen svar.",
                "The whole path on the operator's server where answers are laid for you. Begins with /, e.g. /out. Empty: none are "
                "collected.",
            ),
        ),
        Field(
            "afterwards",
            Text("Når et svar er hentet", "When an answer is collected"),
            FieldType.CHOICE,
            choices=(
                (Afterwards.REMOVE.value, Text("Fjern filen", "Remove the file")),
                (Afterwards.MOVE.value, Text(f"Flyt filen til undermappen »{DONE}«", f"Move the file to the folder “{DONE}” in it")),
            ),
            default=Afterwards.REMOVE.value,
            only_when=collected,
            group=_ANSWERS,
        ),
    )  # fmt: skip


FIELDS = (*_own(), *carriers.fields())

_NO_INBOX = Text(
    "Skriv den mappe, hvor svarene lægges; ellers kommer de aldrig hertil.",
    "Write the folder where the answers are laid; else they never get here.",
)


def filename(config: Mapping[str, Any]) -> str:
    """The template for the carrier: the mailboxes filled in, all else left to it."""
    template = str(config.get(carriers.FILENAME) or _DEFAULT_FILENAME)
    for token, name in (("{mailbox}", "mailbox"), ("{partner}", "partner_mailbox")):
        mailbox = str(config.get(name) or "")
        template = template.replace(token, safe_filename(mailbox) if mailbox else "")
    return template


def problems(config: Mapping[str, Any]) -> dict[str, Text]:
    """What can never work of the gateway's own fields."""
    found = {}
    try:
        check(filename(config))
    except TemplateInvalid as error:
        found[carriers.FILENAME] = error.text
    if expects(config) is not Expects.NOTHING and not config.get("inbox"):
        found["inbox"] = _NO_INBOX
    return found


def expects(config: Mapping[str, Any]) -> Expects:
    """Which answer counts; nothing where the carrier cannot bring any."""
    if carriers.kind_of(config) not in carriers.collecting_kinds():
        return Expects.NOTHING
    return Expects(config.get("expects") or Expects.NOTHING)
