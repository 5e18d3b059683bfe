"""Electronic addresses in Storecove's words."""

from __future__ import annotations

import pytest

from invoiceapp.domain.identifiers import Participant
from invoiceapp.gateways.storecove.schemes import spoken


@pytest.mark.parametrize(
    ("scheme", "value", "expected"),
    [
        ("0184", "12345674", ("DK:DIGST", "DK12345674")),
        ("0198", "DK12345674", ("DK:ERST", "DK12345674")),
        ("0088", "5798000000001", ("GLN", "5798000000001")),
        ("0007", "5567321707", ("SE:ORGNR", "5567321707")),
        ("0192", "991825827", ("NO:ORG", "991825827")),
        ("0208", "0403019261", ("BE:EN", "0403019261")),
        ("9930", "DE123456789", ("DE:VAT", "DE123456789")),
        ("0211", "IT00743110157", ("IT:IVA", "IT00743110157")),
    ],
)
def test_an_address_gets_storecoves_name(scheme, value, expected):
    assert spoken(Participant(scheme, value)) == expected


def test_a_scheme_that_storecove_has_no_name_for_is_told():
    assert spoken(Participant("0096", "1012345678")) is None
