"""Each segment of an interchange in words: its name, and what its qualifier makes of it."""

from __future__ import annotations

from invoiceapp.domain.findings import Text
from invoiceapp.formats.base import ReadableLine

from .syntax import Segment, parse, readable

T = Text
_UNA = T("Skilletegn", "Service characters")
_NAMES = {
    "UNB": T("Forsendelsen begynder", "Interchange begins"),
    "UNZ": T("Forsendelsen slutter", "Interchange ends"),
    "UNH": T("Meddelelsen begynder", "Message begins"),
    "UNT": T("Meddelelsen slutter", "Message ends"),
    "UNS": T("Skel før totalerne", "Totals follow"),
    "ALC": T("Rabat eller gebyr", "Allowance or charge"),
    "BGM": T("Dokument", "Document"),
    "CNT": T("Kontroltal", "Control total"),
    "COM": T("Kontaktvej", "Communication"),
    "CTA": T("Kontaktperson", "Contact"),
    "CUX": T("Valuta", "Currency"),
    "DTM": T("Dato", "Date"),
    "FII": T("Bankkonto", "Bank account"),
    "FTX": T("Fri tekst", "Free text"),
    "IMD": T("Varens tekst", "Item text"),
    "LIN": T("Linje", "Line"),
    "MOA": T("Beløb", "Amount"),
    "NAD": T("Part", "Party"),
    "PAI": T("Betalingsmåde", "Way of payment"),
    "PAT": T("Betalingsbetingelse", "Payment terms"),
    "PCD": T("Procent", "Percentage"),
    "PIA": T("Varens øvrige numre", "Other numbers of the item"),
    "PRI": T("Pris", "Price"),
    "QTY": T("Antal", "Quantity"),
    "RFF": T("Reference", "Reference"),
    "TAX": T("Moms", "VAT"),
}
#: By tag and first component, as far as we write them; a value stands instead of the segment's name.
_QUALIFIED = {
    "ALC": {"A": T("Rabat", "Allowance"), "C": T("Gebyr", "Charge")},
    "BGM": {
        "380": T("Faktura", "Invoice"), "381": T("Kreditnota", "Credit note"), "384": T("Rettet faktura", "Corrected invoice"),
    },
    "CNT": {"2": T("Antal linjer", "Number of lines")},
    "CUX": {"2": T("Fakturaens valuta", "Currency of the invoice")},
    "DTM": {
        "3": T("Fakturadato", "Issue date"), "137": T("Dokumentdato", "Document date"), "35": T("Leveringsdato", "Delivery date"),
        "13": T("Forfaldsdato", "Due date"), "171": T("Referencens dato", "Date of the reference"),
        "167": T("Perioden begynder", "Period begins"), "168": T("Perioden slutter", "Period ends"),
        "131": T("Momsdato", "Tax point date"),
    },
    "FTX": {
        "AAI": T("Bemærkning", "Note"), "AAB": T("Betalingsbetingelser i tekst", "Payment terms in words"),
        "REG": T("Virksomhedens oplysninger", "Company details"), "TXD": T("Grund til momsfritagelse", "Reason for VAT exemption"),
    },
    "IMD": {"F": T("Varens navn", "Item name"), "A": T("Varens beskrivelse", "Item description")},
    "MOA": {
        "8": T("Rabat eller gebyr, beløb", "Allowance or charge, amount"), "9": T("At betale", "To pay"), "77": T("Fakturabeløb", "Invoice amount"),
        "25": T("Grundlag for rabat eller gebyr", "Basis of an allowance or charge"), "79": T("Linjernes sum", "Sum of the lines"),
        "86": T("Fakturabeløb", "Invoice amount"), "113": T("Forudbetalt", "Prepaid"), "124": T("Momsbeløb", "VAT amount"),
        "125": T("Beløb uden moms", "Amount without VAT"), "131": T("Rabatter og gebyrer i alt", "Allowances and charges"),
        "165": T("Øreafrunding", "Rounding"), "203": T("Linjebeløb", "Line amount"),
    },
    "NAD": {
        "SU": T("Leverandør", "Supplier"), "BY": T("Køber", "Buyer"), "IV": T("Fakturamodtager", "Invoicee"),
        "DP": T("Leveringssted", "Place of delivery"), "PE": T("Betalingsmodtager", "Payee"),
    },
    "PAT": {"1": T("Betalingsfrist", "Payment term"), "3": T("Forfald på en dato", "Due on a date")},
    "PRI": {"AAA": T("Nettopris", "Net price"), "AAB": T("Pris før rabat", "Price before allowances")},
    "QTY": {"47": T("Faktureret antal", "Invoiced quantity")},
    "RFF": {
        "ON": T("Købers ordrenummer", "Buyer's order number"), "VN": T("Leverandørens ordrenummer", "Supplier's order number"),
        "DQ": T("Følgeseddel", "Delivery note"), "CT": T("Kontrakt", "Contract"), "CR": T("Købers reference", "Buyer reference"),
        "IV": T("Faktura, der henvises til", "Invoice referred to"), "AEP": T("Projekt", "Project"), "ADE": T("Kontostreng", "Accounting cost"),
        "PQ": T("Betalingsreference", "Payment reference"), "VA": T("Momsnummer", "VAT number"), "XA": T("CVR-nummer", "Company number"),
        "LI": T("Ordrelinje", "Order line"),
    },
}  # fmt: skip


def _meaning(item: Segment) -> Text | None:
    known = _QUALIFIED.get(item.tag, {}).get(item.get(0)) or _NAMES.get(item.tag)
    if item.tag == "LIN" and known is not None:
        return Text(f"{known.da} {item.get(0)}", f"{known.en} {item.get(0)}")
    return known


def explained(content: bytes) -> list[ReadableLine]:
    """The interchange, one segment a line, each in words. Raises ``Unreadable``."""
    segments = parse(content)
    lines = readable(content).split("\n")
    head = [ReadableLine(line, _UNA) for line in lines[: len(lines) - len(segments)]]
    return [
        *head,
        *(
            ReadableLine(line, _meaning(item), _places(item))
            for line, item in zip(lines[len(head) :], segments, strict=True)
        ),
    ]


def _places(item: Segment) -> tuple[str, ...]:
    """As findings name it: by tag and place, a line by its number."""
    own = f"{item.tag}[{item.position}]"
    return (own, f"BG-25[{item.get(0)}]") if item.tag == "LIN" else (own,)
