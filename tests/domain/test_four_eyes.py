"""Four eyes: values that are the same however they are written, and amounts far above normal."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from invoiceapp.domain.fields import Field, FieldType
from invoiceapp.domain.findings import Text
from invoiceapp.domain.four_eyes import (
    Rules,
    Switch,
    Unusual,
    account_fact,
    account_of,
    accounts_of,
    addresses,
    amount_fact,
    atoms_of,
    endpoint_fact,
    gateway_fact,
    unusual,
)
from invoiceapp.domain.invoice import PaymentMeans
from invoiceapp.domain.invoice import PaymentMeansCode as Code

IBAN = "DK5000400440116243"
digits = st.text("0123456789", min_size=1, max_size=10)


def paid(code: Code, account: str | None, branch: str | None = None) -> PaymentMeans:
    return PaymentMeans(code, "1", account, branch)


def fingerprint(means: PaymentMeans) -> str:
    account = account_of(means)
    assert account is not None
    return account_fact("a", account).fingerprint


@st.composite
def written(draw: st.DrawFn, text: str) -> str:
    """The same value as people write it: blanks and small letters anywhere."""
    blanks = [draw(st.sampled_from(["", " ", "  ", "\t"])) for _ in text]
    return "".join(
        blank + (one.lower() if draw(st.booleans()) else one) for blank, one in zip(blanks, text, strict=True)
    )


@given(written(IBAN))
def test_an_account_is_the_same_with_blanks_and_in_small_letters(text: str):
    assert fingerprint(paid(Code.SEPA, text)) == fingerprint(paid(Code.SEPA, IBAN))


def test_a_danish_iban_and_its_registration_and_account_number_are_one_account():
    assert fingerprint(paid(Code.SEPA, IBAN)) == fingerprint(paid(Code.BANK_ACCOUNT, "0440116243", "0040"))
    assert fingerprint(paid(Code.BANK_ACCOUNT, "440116243", "0040")) == fingerprint(paid(Code.SEPA, IBAN, "DABADKKK"))


@given(digits, digits, st.sampled_from(["0040", "1234"]), st.sampled_from(["0040", "1234"]))
def test_other_danish_accounts_are_never_the_same(one: str, other: str, branch: str, other_branch: str):
    same = (one.zfill(10), branch) == (other.zfill(10), other_branch)
    found = fingerprint(paid(Code.BANK_ACCOUNT, one, branch)) == fingerprint(
        paid(Code.BANK_ACCOUNT, other, other_branch)
    )
    assert found == same


def test_a_fik_creditor_is_no_bank_account_of_the_same_number():
    slip, bank, giro = (fingerprint(paid(code, "82345678")) for code in (Code.FIK, Code.BANK_ACCOUNT, Code.GIRO))
    assert len({slip, bank, giro}) == 3


def test_what_names_no_account_of_ours_needs_none():
    assert accounts_of([PaymentMeans(Code.NEMKONTO), PaymentMeans(Code.DIRECT_DEBIT, payer_account=IBAN)]) == ()


FIELDS = (
    Field("host", Text("", ""), is_address=True),
    Field("port", Text("", ""), FieldType.INTEGER, default=22),
    Field("url", Text("", ""), FieldType.URL, only_when=("port", ("443",))),
    Field("password", Text("", ""), secret=True, is_address=True),
)


def test_a_gateway_leads_to_its_addresses_and_nothing_else():
    config = {"host": " SFTP.Example.dk ", "port": 22, "url": "https://unused.example", "password": "secret"}
    assert addresses(FIELDS, config) == (("host", "sftp.example.dk"),)
    moved = gateway_fact("a", "g", "SFTP", FIELDS, {"host": "evil.example"})
    same = gateway_fact("a", "g", "Another name", FIELDS, {"host": "sftp.example.dk", "port": 2222})
    assert same.fingerprint == gateway_fact("a", "g", "SFTP", FIELDS, config).fingerprint != moved.fingerprint


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("Faktura@Kunde.DK ", "faktura@kunde.dk", True),
        ("HTTPS://Host.dk/In/", "https://host.dk/In", True),
        ("https://host.dk/In", "https://host.dk/in", False),
        ("0088:5798000000001", "0088:5798000000002", False),
    ],
)  # fmt: skip
def test_addresses_are_compared_as_machines_do(one: str, other: str, same: bool):
    assert (endpoint_fact("c", "", one).fingerprint == endpoint_fact("c", "", other).fingerprint) is same


def test_an_approved_address_counts_for_its_customer_only():
    assert endpoint_fact("c", "", "a@b.dk").fingerprint != endpoint_fact("d", "", "a@b.dk").fingerprint


money = st.decimals(Decimal("0.01"), Decimal(10**9), places=2)


@given(money, st.lists(money, max_size=30), st.integers(2, 100))
def test_an_amount_above_the_factor_and_only_such_a_one_waits(amount: Decimal, before: list[Decimal], factor: int):
    rules = Rules(frozenset(Switch), factor)
    found, newest = unusual(amount, before, rules), sorted(before[:20])
    if len(newest) < 3:
        assert found is None
    else:
        middle = (newest[(len(newest) - 1) // 2] + newest[len(newest) // 2]) / 2
        assert (found is not None) == (amount > middle * factor)
    assert unusual(-amount, before, rules) == found, "a credit note is judged by its size"


@given(money, money)
def test_the_ceiling_counts_for_new_customers_too(amount: Decimal, ceiling: Decimal):
    assert unusual(amount, [], Rules(ceiling=ceiling)) == (Unusual(ceiling) if amount > ceiling else None)


def test_customers_who_were_only_sent_zeros_have_no_normal_amount():
    assert unusual(Decimal(100), [Decimal(0)] * 5, Rules()) is None


def test_an_approved_amount_covers_neither_another_amount_nor_another_document():
    found = Unusual(Decimal(5))
    facts = [
        amount_fact(document, "", "1", Decimal(amount), currency, found).fingerprint
        for document, amount, currency in (
            ("d", "100", "DKK"),
            ("d", "100.01", "DKK"),
            ("e", "100", "DKK"),
            ("d", "100", "EUR"),
        )
    ]
    assert len(set(facts)) == 4
    assert amount_fact("d", "", "1", Decimal("100.00"), "DKK", found).fingerprint == facts[0]


@given(written(IBAN))
def test_who_typed_an_account_is_known_however_it_was_typed(text: str):
    account = account_of(paid(Code.BANK_ACCOUNT, "0440116243", "0040"))
    assert account is not None
    atoms = account_fact("a", account).atoms
    assert atoms & set(atoms_of({"supplier": {"iban": text, "other": ["x", True, None]}}))
    assert atoms & set(atoms_of({"bankAccount": "440116243"})) and not atoms & set(
        atoms_of({"bankAccount": "440116244"})
    )


def test_the_rules_are_the_same_after_they_were_stored():
    rules = Rules(frozenset({Switch.ACCOUNTS, Switch.AMOUNTS}), 7, Decimal("100000.50"))
    assert Rules.of(rules.to_dict()) == rules and Rules.of({}) == Rules()
