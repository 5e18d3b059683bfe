from __future__ import annotations

import pytest

from invoiceapp.domain.identifiers import Participant
from invoiceapp.services.reach.candidates import Basis, Facts, candidates, remarks

GLN = "5798000000001"


def addresses(**facts):
    return [str(one.participant) for one in candidates(Facts("c", "Kunde", **facts))]


def test_a_danish_customer_is_asked_about_by_gln_then_cvr_then_se():
    assert addresses(country="DK", gln=GLN, registration_no="DK 12 34 56 74") == [
        f"0088:{GLN}", "0184:12345674", "0198:DK12345674",
    ]  # fmt: skip


def test_the_address_that_the_user_has_set_comes_first_and_only_once():
    own = Participant("0184", "12345674")
    found = candidates(Facts("c", "Kunde", "DK", GLN, "12345674", own_address=own))
    assert [one.basis for one in found] == [Basis.SETTING, Basis.GLN, Basis.REGISTRATION]
    assert [str(one.participant) for one in found] == ["0184:12345674", f"0088:{GLN}", "0198:DK12345674"]


def test_a_customer_without_country_is_taken_for_danish():
    assert addresses(registration_no="12345674")[0] == "0184:12345674"


def test_ten_digits_are_a_production_unit():
    assert addresses(country="DK", registration_no="1003388394") == ["0096:1003388394"]


@pytest.mark.parametrize(
    ("country", "number", "expected"),
    [
        ("NO", "974 760 673 MVA", ["0192:974760673"]),
        ("SE", "SE556036079301", ["0007:5560360793"]),
        ("SE", "556036-0793", ["0007:5560360793"]),
        ("BE", "BE 0403.170.701", ["0208:0403170701", "9925:BE0403170701"]),
        ("BE", "403170701", ["0208:0403170701", "9925:BE0403170701"]),
        ("DE", "DE136695976", ["9930:DE136695976"]),
        ("GR", "094014201", ["9933:EL094014201"]),
        ("US", "12-3456789", []),
    ],
)
def test_foreign_numbers_become_addresses_of_their_country(country, number, expected):
    assert addresses(country=country, registration_no=number) == expected


def test_a_wrong_gln_is_not_asked_about_and_the_user_is_told():
    facts = Facts("c", "Kunde", "DK", "5798000000002", "12345674")
    assert "0088:5798000000002" not in [str(one.participant) for one in candidates(facts)]
    (remark,) = remarks(facts)
    assert remark.rule == "IA-NETWORK-GLN" and "5798000000002" in remark.text.da and remark.fix == "customer.gln"


def test_a_right_gln_needs_no_remark():
    assert remarks(Facts("c", "Kunde", gln=GLN)) == []
