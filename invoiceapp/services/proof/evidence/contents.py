"""What a pack consists of: its fixed names, and what each file is in words."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from invoiceapp.domain.findings import Text

FORMAT = "invoiceapp-evidence-1"
MANIFEST, SIGNATURE, CERTIFICATE = "manifest.json", "manifest.p7s", "certificate.pem"
#: Of a document's folder; what ``checking`` reads.
DELIVERIES, TIMELINE = "deliveries.json", "timeline.json"

#: ``what`` of a file.
WHAT: Mapping[str, Text] = {
    "page": Text("Side til at læse i en browser", "Page to read in a browser"),
    "style": Text("Sidernes udseende", "Look of the pages"),
    "certificate": Text("Certifikatet bag underskriften", "The certificate behind the signature"),
    "document": Text("Dokumentets oplysninger", "Facts of the document"),
    "source": Text("Bilaget, som det blev læst i regnskabet", "The record as it was read from the accounts"),
    "rendition": Text("E-fakturaen, byte for byte", "The e-invoice, byte for byte"),
    "pdf": Text("PDF'en, som den vises", "The PDF as it is shown"),
    "validation": Text("Kontrol og de regler, der dømte", "Validation and the rules that judged"),
    "directory": Text("Registrenes svar om modtageren", "What the registers said of the receiver"),
    "directory_answer": Text("Et registers svar, som det kom", "A register's answer as it came"),
    "deliveries": Text("Afsendelser, forsøg og kvitteringer", "Deliveries, attempts and receipts"),
    "receipt": Text("Kvittering, som den kom", "Receipt as it came"),
    "response": Text("Købers svar, som det kom", "The buyer's response as it came"),
    "timeline": Text("Forløbet", "The timeline"),
    "history": Text("Hver status, dokumentet har haft", "Each status that the document has had"),
}


@dataclass(frozen=True, slots=True)
class Entry:
    """One file of a pack, as the manifest has it."""

    path: str
    size: int
    sha256: str
    what: str
    """A key of ``WHAT``"""
    document: str | None = None
    """The document's id, of what belongs to one"""

    @classmethod
    def of(cls, path: str, content: bytes, what: str, document: str | None = None) -> Entry:
        """The entry of a file with this content."""
        return cls(path, len(content), hashlib.sha256(content).hexdigest(), what, document)

    def to_dict(self) -> dict[str, Any]:
        """JSON form, with the words of ``what``."""
        return {**asdict(self), "da": WHAT[self.what].da, "en": WHAT[self.what].en}
