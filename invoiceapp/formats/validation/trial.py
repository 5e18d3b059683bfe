"""A trial run of a pack's sheets, in a process of its own, because a broken sheet can end the process.

``python -m invoiceapp.formats.validation.trial SHEET.xslt …`` compiles each
sheet, lets it judge the sample document and prints one JSON line a sheet. Saxon
writes its own messages to stderr.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from dataclasses import replace as replaced
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

from lxml import etree

from invoiceapp.domain.identifiers import CVR, GLN, Participant
from invoiceapp.domain.invoice import DocumentType, Invoice, Item, Line, PaymentMeans, PaymentMeansCode
from invoiceapp.domain.parties import Address, Contact, Party
from invoiceapp.domain.tax import VatCategory, VatClass
from invoiceapp.domain.totals import document_totals, vat_breakdown
from invoiceapp.formats.ubl import FORMATS

from . import packs
from .engine import new_saxon
from .reports import read_report

#: Seconds for all sheets of a pack; OIOUBL's take about five.
DEADLINE = 180

#: Where this product's package lies, so that the child finds it whatever folder the operator stands in.
_ROOT = Path(__file__).resolve().parents[3]

#: Which documents each sheet judges.
_JUDGED = {
    packs.PEPPOL_CEN: ("peppol-bis-3", tuple(DocumentType)),
    packs.PEPPOL_BIS: ("peppol-bis-3", tuple(DocumentType)),
    packs.OIOUBL_INVOICE: ("oioubl-2.1", (DocumentType.INVOICE,)),
    packs.OIOUBL_CREDIT_NOTE: ("oioubl-2.1", (DocumentType.CREDIT_NOTE,)),
}


@dataclass(frozen=True, slots=True)
class Tried:
    """How one sheet did."""

    sheet: str
    error: str | None = None
    """Why it is no usable rule set; English, the engine's words"""
    stopped_by: tuple[str, ...] = ()
    """Fatal rules that the sample document breaks: for a person to look at, not an error of the sheet"""


def sample() -> Invoice:
    """A small invoice of a Danish company to a public receiver, which every edition known so far accepts."""
    vat_class = VatClass(VatCategory.STANDARD, Decimal(25))
    lines = (
        Line("1", Decimal(2), "HUR", Decimal("900.00"), Decimal(450), vat_class, Item("Reparation", "Cykel", "R-1")),
    )
    vat = vat_breakdown(lines)
    seller_address = Address("Lillestræde 4", None, "Odense C", "5000", None, "DK")
    buyer_address = Address("Skolevej 9", None, "Odense C", "5000", None, "DK")
    return Invoice(
        source_id="sample",
        type=DocumentType.INVOICE,
        number="1",
        issue_date=date(2026, 11, 2),
        currency="DKK",
        seller=Party(
            "Værkstedet ApS", Participant(CVR, "12345674"), "Værkstedet ApS", "12345674", CVR, "DK12345674",
            seller_address, Contact(name="Ida", email="ida@v.example"),
        ),
        buyer=Party(
            "Skolen", Participant(GLN, "5798009811578"), None, "10150817", CVR, None, buyer_address,
            Contact(id="Mette", name="Mette"),
        ),
        lines=lines,
        vat=vat,
        totals=document_totals(lines, vat),
        due_date=date(2026, 11, 16),
        buyer_reference="Mette",
        payment=(PaymentMeans(PaymentMeansCode.BANK_ACCOUNT, "1", "0440116243", "0040"),),
    )  # fmt: skip


def run(pack: str, folder: Path) -> list[Tried]:
    """Try every sheet of a pack that lies in ``folder``. A sheet that ends the process is an error of that sheet."""
    sheets = [sheet for sheet in packs.PACKS[pack].sheets if (folder / f"{sheet}.xslt").is_file()]
    command = [sys.executable, "-m", __name__, *(str((folder / f"{sheet}.xslt").resolve()) for sheet in sheets)]
    try:
        result = subprocess.run(command, cwd=_ROOT, capture_output=True, timeout=DEADLINE, check=False)
        answer, died = result.stdout, f"it ended the rule engine: {_last_words(result.stderr)}"
    except subprocess.TimeoutExpired as expired:
        answer, died = expired.stdout or b"", f"it was not done after {DEADLINE} seconds"
    tried = [_read(line) for line in answer.splitlines() if line.startswith(b"{")]
    if len(tried) < len(sheets):
        tried.append(Tried(sheets[len(tried)], died))
    return tried


def _read(line: bytes) -> Tried:
    data = json.loads(line)
    return Tried(data["sheet"], data["error"], tuple(data["stopped_by"]))


def _last_words(stderr: bytes) -> str:
    lines = stderr.decode("utf-8", "replace").split("\n")
    return next((line.strip()[:200] for line in reversed(lines) if line.strip()), "no message")


def _documents(sheet: str) -> list[bytes]:
    format_id, types = _JUDGED[sheet]
    fmt = next(item for item in FORMATS if item.id == format_id)
    return [fmt.payload(fmt.write(replaced(sample(), type=kind))) for kind in types]


def _try(saxon: Any, path: Path) -> Tried:
    stopped_by: list[str] = []
    documents = _documents(path.stem)
    try:
        executable = saxon.new_xslt30_processor().compile_stylesheet(stylesheet_file=str(path))
        for content in documents:
            root = etree.fromstring(content)
            node = saxon.parse_xml(xml_text=etree.tostring(root, encoding="unicode"))
            findings = read_report(executable.transform_to_string(xdm_node=node), root)
            stopped_by += [finding.rule for finding in findings if finding.is_fatal]
    # Saxon has one exception for everything, and this process exists to survive none of them.
    except Exception as error:
        return Tried(path.stem, " ".join(str(error).split())[:300] or type(error).__name__)
    return Tried(path.stem, None, tuple(dict.fromkeys(stopped_by)))


def main(paths: list[str]) -> None:
    """Try the sheets one by one; what is printed already stands if a later one ends the process."""
    saxon = new_saxon()
    for name in paths:
        tried = _try(saxon, Path(name))
        line = {"sheet": tried.sheet, "error": tried.error, "stopped_by": tried.stopped_by}
        sys.stdout.write(json.dumps(line) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1:])
