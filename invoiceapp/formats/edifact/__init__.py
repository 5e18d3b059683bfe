"""EDIFACT INVOIC D.96A (EANCOM 1997) for retail, mostly through a VANS."""

from invoiceapp.domain.findings import Text
from invoiceapp.formats.base import Format

from .checks import check
from .examination import examine
from .explanation import explained
from .profiles import OPTIONS
from .reader import read
from .renumbering import renumber
from .syntax import readable
from .writer import route, write

FORMATS = (
    Format(
        id="edifact-d96a",
        label=Text("EDIFACT INVOIC D.96A (EANCOM)", "EDIFACT INVOIC D.96A (EANCOM)"),
        media_type="application/EDIFACT",
        extension="edi",
        writer=write,
        checker=check,
        options=OPTIONS,
        route=route,
        renumber=renumber,
        examine=examine,
        reader=read,
        shown=readable,
        explained=explained,
    ),
)
