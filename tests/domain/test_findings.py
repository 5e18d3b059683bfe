from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from invoiceapp.domain.findings import Finding, Severity, Text, Turn, fatal, has_fatal, warning

maybe = st.none() | st.text()
findings = st.builds(
    Finding,
    rule=st.text(min_size=1),
    severity=st.sampled_from(Severity),
    text=st.builds(Text, st.text(), st.text()),
    turn=st.sampled_from(Turn),
    term=maybe,
    location=maybe,
    fix=maybe,
)


@given(findings)
def test_a_finding_survives_json(finding):
    assert Finding.from_dict(json.loads(json.dumps(finding.to_dict()))) == finding


def test_the_json_form_has_the_promised_keys():
    stored = fatal("BR-16", "da", "en", turn=Turn.SOURCE, term="BG-25", fix="source.invoice", location="x").to_dict()
    assert stored == {
        "rule": "BR-16", "severity": "fatal", "text": {"da": "da", "en": "en"}, "turn": "source",
        "term": "BG-25", "location": "x", "fix": "source.invoice",
    }  # fmt: skip


def test_missing_optional_keys_are_none():
    stored = {"rule": "X", "severity": "info", "text": {"da": "a", "en": "b"}, "turn": "here"}
    assert Finding.from_dict(stored) == Finding("X", Severity.INFO, Text("a", "b"), Turn.HERE)


@pytest.mark.parametrize("key", ["severity", "turn"])
def test_an_unknown_word_is_refused(key):
    stored = {"rule": "X", "severity": "info", "text": {"da": "a", "en": "b"}, "turn": "here", key: "nonsense"}
    with pytest.raises(ValueError):
        Finding.from_dict(stored)


def test_only_a_fatal_finding_keeps_a_document():
    mild = warning("X", "a", "b", turn=Turn.HERE)
    assert not mild.is_fatal
    assert not has_fatal([mild])
    assert has_fatal([mild, fatal("Y", "a", "b", turn=Turn.HERE)])
    assert not has_fatal([])


@pytest.mark.parametrize(
    ("language", "text"), [("da", "ja"), ("en", "yes"), ("en_GB", "yes"), ("de", "ja"), ("", "ja")]
)
def test_texts_are_danish_unless_english_is_asked_for(language, text):
    assert Text("ja", "yes").in_language(language) == text
