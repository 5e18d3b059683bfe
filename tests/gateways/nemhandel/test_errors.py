"""The codes of NemHandel's reference implementation: whose turn it is, and what certainly has not arrived."""

from __future__ import annotations

import pytest

from invoiceapp.gateways.as4.ebms import SignalError
from invoiceapp.gateways.as4.exchange import ErrorAnswered
from invoiceapp.gateways.base import Rejected, Unavailable, Unknown
from invoiceapp.gateways.nemhandel import NemHandelTransport, errors

CODES = {
    "21014": Rejected, "21016": Rejected, "21019": Rejected, "21020": Rejected, "21021": Rejected, "21022": Rejected,
    "21023": Rejected, "24123": Rejected, "24001": Rejected, "24002": Rejected, "23001": Rejected, "24005": Rejected,
    "24006": Rejected, "24007": Rejected, "24999": Rejected, "24004": Unavailable, "24003": Unknown, "32001": Unknown,
    "32002": Unknown, "32003": Unknown, "10001": Unknown,
}  # fmt: skip


def answered(*descriptions: str, code: str = "EBMS:0004") -> ErrorAnswered:
    return ErrorAnswered(tuple(SignalError(code, "failure", one, None) for one in descriptions))


@pytest.mark.parametrize("prefix", ["", "APR", "APS", "REF", "Error APR"])
@pytest.mark.parametrize("code", CODES)
def test_each_code_means_one_thing_with_or_without_its_prefix(code, prefix):
    found = errors.refusal(answered(f"{prefix}{code}: what the access point says of it"))
    assert type(found) is CODES[code]
    assert found.detail.startswith(code)
    assert found.text.da and found.text.en


def test_no_receivers_word_pauses_the_gateway_for_all_others():
    """``Refused`` would; our own certificate and registration are looked at here."""
    assert {type(errors.refusal(answered(code))) for code in CODES} == {Rejected, Unavailable, Unknown}


def test_what_may_have_arrived_is_for_a_person_because_a_repetition_would_look_like_a_proof():
    assert errors.refusal(answered("APS24003 dispatch error")).needs_person


@pytest.mark.parametrize(
    "description",
    [
        "",
        "something else",
        "21015 is only a warning",
        "W-21014",
        "W-APS24001",
        "W-APS32301",
        "121014",
        "210145",
        "A21014",
    ],
)
def test_other_words_and_warnings_are_none_of_its_codes(description):
    assert errors.refusal(answered(description)) is None


def test_a_code_stands_anywhere_in_the_words_of_any_error():
    found = errors.refusal(answered("Other", "PayloadProcessor: [APR24123] the receiver is unknown"))
    assert type(found) is Rejected and "not registered" in found.text.en


def test_of_two_codes_the_one_that_may_have_arrived_counts():
    assert type(errors.refusal(answered("21016 schema", "APR32002 no response made"))) is Unknown


def test_unknown_codes_mean_what_they_mean_in_every_network():
    transport = NemHandelTransport({})
    assert type(transport.refusal(answered("29999"))) is Rejected
    assert type(transport.refusal(answered("29999", code="EBMS:0101"))) is Unavailable
