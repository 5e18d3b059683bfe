from __future__ import annotations

import pytest

from invoiceapp.domain.findings import Severity
from invoiceapp.formats.base import Unreadable
from invoiceapp.formats.edifact.acknowledgements import Acknowledgement, read_acknowledgements
from invoiceapp.formats.edifact.error_codes import SYNTAX_ERRORS

OURS, THEIRS = "5790000000012", "5798009811578"
UNB = f"UNA:+.? 'UNB+UNOC:3+{THEIRS}:14+{OURS}:14+261102:1015+8841'"


def interchange(*messages: str, head: str = UNB) -> bytes:
    parts = [
        f"UNH+{number}+{message}UNT+9+{number}'" if message.startswith(("CONTRL", "APERAK", "ORDERS")) else message
        for number, message in enumerate(messages, 1)
    ]
    return (head + "".join(parts) + f"UNZ+{len(messages)}+8841'").encode("latin-1")


def read(*messages: str, head: str = UNB) -> Acknowledgement:
    (found,) = read_acknowledgements(interchange(*messages, head=head))
    return found


def contrl(rest: str) -> str:
    return f"CONTRL:2:2:UN:EAN002'{rest}"


def aperak(rest: str) -> str:
    return f"APERAK:D:96A:UN:EAN003'{rest}"


UCI = f"UCI+1017+{OURS}:14+{THEIRS}:14"


def test_a_contrl_that_accepts():
    assert read(contrl(f"{UCI}+7'")) == Acknowledgement("CONTRL", THEIRS, OURS, "1017", None, None, True)


@pytest.mark.parametrize(
    ("action", "accepted"),
    [
        ("1", True),
        ("2", True),
        ("7", True),
        ("8", None),
        ("4", False),
        ("3", False),
        ("6", False),
        ("", None),
        ("99", None),
    ],
)
def test_the_action_code_is_the_verdict(action, accepted):
    assert read(contrl(f"{UCI}+{action}'")).accepted is accepted


def test_a_contrl_that_rejects_the_message_names_every_error_and_its_place():
    found = read(contrl(f"{UCI}+7'UCM+1+INVOIC:D:96A:UN:EAN008+4'UCS+14+13'UCS+22'UCD+39+3:4'UCD+12+2'"))
    assert (found.accepted, found.message_reference, found.interchange_reference) == (False, "1", "1017")
    assert [finding.rule for finding in found.findings] == ["EDI-CONTRL-ERROR"] * 3
    texts = [finding.text.en for finding in found.findings]
    assert "something mandatory is missing (code 13, segment 14)" in texts[0]
    assert "the value is too long (code 39, segment 22, element 3, 4)" in texts[1]
    assert "the value is invalid (code 12, segment 22, element 2)" in texts[2]
    assert "værdien er for lang" in found.findings[1].text.da


def test_an_error_in_the_envelope_is_named():
    found = read(contrl(f"{UCI}+4+26+UNB+5'"))
    assert found.accepted is False
    assert "received before (code 26, UNB, element 5)" in found.findings[0].text.en
    found = read(contrl(f"{UCI}+4+23'"))
    assert "the sender is unknown (code 23, UNB)" in found.findings[0].text.en


def test_a_message_header_and_a_group_may_be_to_blame():
    found = read(contrl(f"{UCI}+7'UCM+1+INVOIC:D:96A:UN+4+17+UNH+2:1'"))
    assert "no agreement to receive this (code 17, UNH, element 2, 1)" in found.findings[0].text.en
    found = read(contrl(f"{UCI}+7'UCF+1+{OURS}+{THEIRS}+4+29'"))
    assert found.accepted is False


def test_a_rejection_without_an_error_says_so():
    (found,) = read(contrl(f"{UCI}+4'")).findings
    assert found.rule == "EDI-CONTRL-REJECTED"
    assert "1017" in found.text.da


def test_an_unknown_error_code_is_told_by_number():
    assert "fejlkode 77" in read(contrl(f"{UCI}+4+77'")).findings[0].text.da


def test_all_error_codes_have_words_in_both_languages():
    assert all(text.da and text.en and text.da != text.en for text in SYNTAX_ERRORS.values())


def test_syntax_version_4_is_read_too():
    head = f"UNA:+.?*'UNB+UNOY:4:::02+{THEIRS}:14+{OURS}:14+20261102:1015+8841'"
    found = read(f"CONTRL:4:1:UN'{UCI}+7'UCM+1+INVOIC:D:96A:UN:EAN008+4+13+UNT+1'UCS+5+35'", head=head)
    assert (found.accepted, found.sender, len(found.findings)) == (False, THEIRS, 2)


@pytest.mark.parametrize(
    ("bgm", "accepted"),
    [
        ("BGM+312+1+9", True), ("BGM+313+1+9", False), ("BGM+294+1+27", False), ("BGM+294+1+44", True), ("BGM+294+1+29", True),
        ("BGM+294+1+9", None), ("BGM++1+12", False),
    ],
)  # fmt: skip
def test_the_response_or_the_name_of_an_aperak_is_the_verdict(bgm, accepted):
    found = read(aperak(f"{bgm}'DTM+137:20261102:102'RFF+ACW:1'RFF+IV:2042'"))
    assert (found.accepted, found.kind, found.document_number, found.message_reference) == (
        accepted,
        "APERAK",
        "2042",
        "1",
    )
    assert found.interchange_reference is None


def test_an_aperak_with_errors_says_what_is_wrong():
    found = read(
        aperak(
            "BGM+313+A1+27'RFF+IV:2042'NAD+MS+5798009811578::9'ERC+42::9'FTX+AAO+++Ordrenummer 4500 findes:ikke'"
            "RFF+ON:4500'ERC+7::9'FTX+AAO+++Ukendt varenummer'RFF+IV:2042:3'FTX+AAO+++Linje 3'"
        )
    )
    assert (found.accepted, found.document_number) == (False, "2042")
    assert [finding.severity for finding in found.findings] == [Severity.FATAL] * 2
    assert "2042: Ordrenummer 4500 findes ikke (kode 42)" in found.findings[0].text.da
    assert "Ukendt varenummer Linje 3 (kode 7)" in found.findings[1].text.da


def test_an_aperak_with_errors_and_no_verdict_is_a_rejection():
    found = read(aperak("BGM+294+A1+9'ERC+13'"))
    assert (found.accepted, found.document_number) == (False, None)


def test_a_rejection_without_words_says_so():
    (found,) = read(aperak("BGM+313+A1+27'RFF+ACE:2042'")).findings
    assert (found.rule, "2042" in found.text.da) == ("EDI-APERAK-REJECTED", True)


def test_a_remark_on_an_accepted_invoice_stops_nothing():
    (found,) = read(aperak("BGM+312+A1+44'RFF+IV:2042'FTX+AAI+++Betales 16. november'")).findings
    assert (found.severity, "Betales 16. november" in found.text.en) == (Severity.INFO, True)


def test_several_answers_in_one_interchange_are_all_read():
    found = read_acknowledgements(
        interchange(contrl(f"{UCI}+7'"), "ORDERS:D:96A:UN'BGM+220+1+9'", aperak("BGM+312+1+9'RFF+IV:2042'"))
    )
    assert [item.kind for item in found] == ["CONTRL", "APERAK"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "UNB"),
        (b"<html>502</html>", "terminator"),
        (interchange(), "neither a CONTRL nor an APERAK"),
        (interchange("ORDERS:D:96A:UN'BGM+220+1+9'"), "neither a CONTRL nor an APERAK"),
        (interchange(contrl("UCM+1'")), "no UCI"),
        (interchange(contrl("UCI'")), "no UCI"),
        (interchange(aperak("RFF+IV:1'")), "no BGM"),
        (interchange(f"UNH+1+{contrl(UCI)}+7'"), "UNT is missing"),
        (interchange(f"UNH+1+{contrl(UCI)}+7'", contrl(f"{UCI}+7'")), "UNT is missing"),
        (interchange("UNT+1+1'"), "UNT without UNH"),
        (interchange(contrl(f"{UCI}+7'"))[:-8], "terminator"),
    ],
)
def test_a_broken_answer_is_refused_in_words(content, said):
    with pytest.raises(Unreadable) as refused:
        read_acknowledgements(content)
    assert said in refused.value.text.en


@pytest.mark.parametrize(
    ("said", "is_duplicate"),
    [
        (f"{UCI}+4+26'", True),
        (f"{UCI}+7'UCM+1+INVOIC:D:96A:UN:EAN008+4+26'", True),
        (f"{UCI}+4+23'", False),
        (f"{UCI}+4+26'UCM+1+INVOIC:D:96A:UN:EAN008+4+13'", False),
        (f"{UCI}+7'", False),
    ],
)
def test_an_interchange_that_was_had_before_is_told_from_other_errors(said, is_duplicate):
    assert read(contrl(said)).is_duplicate is is_duplicate
