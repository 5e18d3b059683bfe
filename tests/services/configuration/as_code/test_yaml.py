from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from invoiceapp.services.configuration.as_code import ConfigurationInvalid, reading
from invoiceapp.services.configuration.as_code.reading import DEEPEST, LARGEST, Node, read
from invoiceapp.services.configuration.as_code.writing import write

#: Everything that UTF-8 and both databases can carry.
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=40)
HARD = st.sampled_from(
    ["no", "0088", "~", "null", "2026-11-01", "1_0", "\ufeff", "\x85", "\u2028", "a\n", "\n", " a\nb", "a\n \n"]
)
VALUES = st.recursive(
    TEXTS | HARD | st.none(),
    lambda inner: (
        st.dictionaries(TEXTS | HARD, inner, max_size=4)
        | st.lists(st.dictionaries(TEXTS, inner, min_size=1, max_size=3), max_size=3)
    ),
    max_leaves=8,
)


def plain(node: Node) -> Any:
    if isinstance(node.value, dict):
        return {name: plain(item) for name, item in node.value.items()}
    return [plain(item) for item in node.value] if isinstance(node.value, list) else node.value


@pytest.fixture(params=["CSafeLoader", "SafeLoader"], autouse=True, scope="module")
def loader(request: pytest.FixtureRequest) -> Any:
    """libyaml and PyYAML's own parser must read the same."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reading, "_LOADER", getattr(yaml, request.param))
        yield


@given(st.dictionaries(TEXTS, VALUES, min_size=1, max_size=4))
@settings(max_examples=150, deadline=None)
def test_what_is_written_is_read(document):
    text = write(document)
    node, problems = read(text.encode())
    assert plain(node) == document
    assert problems.found == []


@given(st.dictionaries(TEXTS.filter(lambda key: key != "<<"), TEXTS | HARD | st.booleans() | st.integers(), min_size=1))
@settings(max_examples=100, deadline=None)
def test_other_yaml_readers_read_the_same(document):
    assert yaml.safe_load(write(document)) == document


@pytest.mark.parametrize(
    "text",
    ["no", "on", "0088", "0x10", "1_000", "1e3", "12:30:45", "2026-11-01", ".inf", "true", "False", "=", "01.50"],
)  # fmt: skip
def test_a_scalar_stays_the_text_that_was_written(text):
    assert plain(read(f"a: {text}".encode())[0]) == {"a": text}


def test_only_plain_nothing_is_nothing():
    found = plain(read(b"a: null\nb: ~\nc:\nd: 'null'\ne: \"\"\nf: nULL")[0])
    assert found == {"a": None, "b": None, "c": None, "d": "null", "e": "", "f": "nULL"}


def test_values_know_the_line_of_their_key():
    node, _ = read(b"a:\n  b: x\n\n  c:\n    - d: y\n")
    inner = node.value["a"].value
    assert (node.value["a"].line, inner["b"].line, inner["c"].line, inner["c"].value[0].line) == (1, 2, 4, 5)


def test_windows_line_ends_and_a_byte_order_mark_do_not_matter():
    assert plain(read("\ufeffa: æ\r\nb: |\r\n  x\r\n  y\r\n".encode())[0]) == {"a": "æ", "b": "x\ny\n"}


BOMB = b"a0: &a0 [x]\n" + b"".join(
    b"a%d: &a%d [*a%d, *a%d, *a%d]\n" % (i, i, i - 1, i - 1, i - 1) for i in range(1, 40)
)


@pytest.mark.parametrize(
    ("content", "line", "said"),
    [
        (b"", 1, "must begin with keys"),
        (b"- a\n", 1, "must begin with keys"),
        (b"just text", 1, "must begin with keys"),
        (b"a: 1\nb: 2\na: 3\n", 3, "a: The key is there twice"),
        (b"a:\n  - b: 1\n    b: 2\n", 3, "a[0].b: The key is there twice"),
        (b"a: 1\nb: &x 1\n", 2, "Anchors and aliases"),
        (b"a: 1\nb: *x\n", 2, ""),
        (b"<<: {a: 1}\nb: !!python/object:os.system 1\n", 2, "Tags"),
        (b"a: !!str 1\n", 1, "Tags"),
        (b"? [a, b]\n: 1\n", 1, "A key must be a text"),
        (b"a: 1\n---\nb: 2\n", 2, "one document only"),
        (b"a:\n\tb: 1\n", 2, "Indent with blanks"),
        (b"a: 1\nb: [1\n", 3, "not valid YAML"),
        (b"a: 1\nb: \xff\n", 2, "UTF-8"),
        ("a: æ\n".encode("utf-16"), 1, "UTF-8"),
        ("a: æ\n".encode("latin-1"), 1, "UTF-8"),
        (b"a: 1\nb: \x01\n", 0, "not valid YAML"),
        (b'a: "x\\0y"\n', 1, "cannot be stored"),
        (b"a: " + b"[" * (DEEPEST + 1), 1, "too many levels"),
        (b"a: " + b"[" * 100_000, 1, "too many levels"),
        (b"a: " + b"{b: " * 100_000, 1, "too many levels"),
        (b"#" * (LARGEST + 1), 0, "larger than 5 MB"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_named_with_its_line(content, line, said):
    try:
        problems = read(content)[1].found
    except ConfigurationInvalid as error:
        problems = error.problems
    assert problems
    assert (problems[0].line, said in str(problems[0])) == (line, True), [str(problem) for problem in problems]


def test_a_bomb_of_aliases_does_not_grow():
    _, problems = read(BOMB)
    assert {problem.text.en for problem in problems.found} == {"Anchors and aliases (& and *) cannot be used."}


@given(st.binary(max_size=200))
@settings(max_examples=300, deadline=None)
def test_whatever_bytes_come_nothing_but_the_refusal_is_raised(content):
    try:
        read(content)
    except ConfigurationInvalid as error:
        assert error.problems


@given(st.text(st.sampled_from("ab:-?[]{}&*!|>'\"%@#,\n\t \\~x0é🧾\x85"), max_size=60))
@settings(max_examples=300, deadline=None)
def test_whatever_text_comes_nothing_but_the_refusal_is_raised(text):
    try:
        read(text.encode())
    except ConfigurationInvalid as error:
        assert error.problems


@pytest.mark.parametrize("sign", "\u200f\u202e\u2066\u2069")
def test_signs_that_turn_the_direction_are_escaped(sign):
    written = write({"a": f"x{sign}y", "b": f"x\n{sign}y"})
    assert sign not in written
    assert plain(read(written.encode())[0]) == {"a": f"x{sign}y", "b": f"x\n{sign}y"}
