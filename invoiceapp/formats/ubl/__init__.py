"""UBL 2.1 documents: Peppol BIS Billing 3 and OIOUBL 2.1."""

from functools import partial

from invoiceapp.domain.findings import Text
from invoiceapp.domain.invoice import DocumentType
from invoiceapp.formats.base import Format, Schema
from invoiceapp.formats.validation.builtin import check_oioubl, check_peppol

from . import oioubl, peppol
from .profiles import OIOUBL_2_1, PEPPOL_BIS_3


def _schemas(**rules: tuple[str, ...]) -> dict[DocumentType, Schema]:
    return {
        DocumentType.INVOICE: Schema("ubl-invoice", rules["invoice"]),
        DocumentType.CREDIT_NOTE: Schema("ubl-credit-note", rules["credit_note"]),
    }


_PEPPOL_RULES = ("en16931-ubl", "peppol-ubl")

FORMATS = (
    Format(
        id=PEPPOL_BIS_3.id,
        label=Text("Peppol BIS Billing 3", "Peppol BIS Billing 3"),
        media_type="application/xml",
        extension="xml",
        writer=partial(peppol.write, profile=PEPPOL_BIS_3),
        checker=check_peppol,
        schemas=_schemas(invoice=_PEPPOL_RULES, credit_note=_PEPPOL_RULES),
    ),
    Format(
        id=OIOUBL_2_1.id,
        label=Text("OIOUBL 2.1 (NemHandel)", "OIOUBL 2.1 (NemHandel)"),
        media_type="application/xml",
        extension="xml",
        writer=partial(oioubl.write, profile=OIOUBL_2_1),
        checker=check_oioubl,
        schemas=_schemas(invoice=("oioubl-invoice",), credit_note=("oioubl-credit-note",)),
    ),
)
