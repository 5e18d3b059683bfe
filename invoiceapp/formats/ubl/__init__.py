"""UBL 2.1 documents: Peppol BIS Billing 3 and OIOUBL 2.1, bare or in an envelope (SBDH).

The profiles are rows (``profiles.py``); the coming 'NemHandel BIS 4' is to be
one more of them and one more call of ``_format``.
"""

from collections.abc import Callable
from functools import partial

from invoiceapp.domain.findings import Finding
from invoiceapp.domain.invoice import DocumentType, Invoice
from invoiceapp.formats.base import Format, Parameters, Schema
from invoiceapp.formats.validation.builtin import check_oioubl, check_peppol

from . import envelope, oioubl, peppol
from .profiles import OIOUBL_2_1, PEPPOL_BIS_3, Ids, Profile
from .reading import read_oioubl, read_peppol

Dialect = Callable[[Invoice, Ids], bytes]
Checker = Callable[[Invoice, Parameters], list[Finding]]
Reader = Callable[[bytes], Invoice]


def _write(invoice: Invoice, parameters: Parameters, *, profile: Profile, dialect: Dialect) -> bytes:
    ids = profile.ids(parameters.options)
    content = dialect(invoice, ids)
    if parameters.options.get("envelope"):
        return envelope.wrap(content, invoice, ids, parameters.interchange)
    return content


def _format(
    profile: Profile, dialect: Dialect, checker: Checker, reader: Reader,
    *, invoice: tuple[str, ...], credit_note: tuple[str, ...],
) -> Format:  # fmt: skip
    """A profile as a format; ``invoice`` and ``credit_note`` name the rule sets of each."""
    return Format(
        id=profile.id,
        label=profile.label,
        media_type="application/xml",
        extension="xml",
        writer=partial(_write, profile=profile, dialect=dialect),
        checker=checker,
        schemas={
            DocumentType.INVOICE: Schema("ubl-invoice", invoice),
            DocumentType.CREDIT_NOTE: Schema("ubl-credit-note", credit_note),
        },
        options=profile.options,
        route=envelope.route,
        renumber=envelope.renumber,
        carries_attachments=True,
        payload=envelope.unwrap,
        reader=reader,
    )


_PEPPOL_RULES = ("en16931-ubl", "peppol-ubl")

FORMATS = (
    _format(PEPPOL_BIS_3, peppol.write, check_peppol, read_peppol, invoice=_PEPPOL_RULES, credit_note=_PEPPOL_RULES),
    _format(
        OIOUBL_2_1, oioubl.write, check_oioubl, read_oioubl,
        invoice=("oioubl-invoice",), credit_note=("oioubl-credit-note",),
    ),
)  # fmt: skip
