"""The one rule of settings, for every field that there is; and the XML, which changes exactly where a setting says."""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from collections.abc import Mapping
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree
from support.setting_values import VALUES, Try
from support.term_paths import BESIDE, CARRIED_NOWHERE, FORMATS, paths_of

from invoiceapp.domain.fields import Field, FieldType
from invoiceapp.domain.invoice import DocumentType
from invoiceapp.domain.settings import GROUPS, Settings, fields_of, settings_from
from invoiceapp.formats.base import registry as formats
from invoiceapp.formats.validation.validator import Report
from invoiceapp.services.configuration.settings import (
    Origin,
    Resolved,
    applied,
    declared,
    from_form,
    place,
    places,
    resolve,
    resolve_one,
)
from invoiceapp.services.export.rendering import pdf_attachment, render
from invoiceapp.sources.base import registry as sources

DECLARED = {f"{group}.{field.name}": field for group in GROUPS for field in fields_of(group)}
ATTRIBUTES = {
    f"{group}.{field.name}": item.name
    for group, holder in GROUPS.items()
    for field, item in zip(fields_of(group), dataclasses.fields(holder), strict=True)
}
OPTIONS = {f"formats.{fmt.id}.{option.name}": option for fmt in formats().values() for option in fmt.options}


def split(key: str) -> tuple[str, str]:
    """``formats.oioubl-2.1.profile`` -> its group and name."""
    group, _, name = key.rpartition(".")
    return group, name


def option_values(option: Field) -> tuple[Any, Any]:
    if option.type is FieldType.BOOLEAN:
        return True, False
    if option.choices:
        return option.choices[-1][0], option.choices[0][0]
    if option.type is FieldType.INTEGER:
        return 7, 8
    return ("5798000000001", "5798009811578") if option.pattern == r"\d{13}" else ("REF1", "REF2")


TRIES = {
    **{key: (one.value, one.other) for key, one in VALUES.items()},
    **{key: option_values(one) for key, one in OPTIONS.items()},
}


def test_every_setting_has_values_to_try():
    assert set(VALUES) == set(DECLARED)
    for key, (value, other) in TRIES.items():
        assert value != other, key
        default = {**DECLARED, **OPTIONS}[key].default
        assert value != default, key


# --- customer > common > source ------------------------------------------------------------------------------------

#: What may stand in the place of a field, by index into its values; everything else is "not set".
STATES = ("absent", None, "", 0, 1)


@st.composite
def stored(draw: st.DrawFn) -> tuple[dict[str, Any], dict[str, Any]]:
    """Stored settings with any mixture of all fields, some names that no field has, and each field's own value."""
    nested: dict[str, Any] = {}
    own: dict[str, Any] = {}
    for key, values in TRIES.items():
        state = draw(st.sampled_from(STATES))
        if state == "absent":
            continue
        group, name = split(key)
        value = values[state] if isinstance(state, int) else state
        *path, last = place(group, name)
        holder = nested
        for step in path:
            holder = holder.setdefault(step, {})
        holder[last] = value
        if isinstance(state, int):
            own[key] = value
    for group in draw(st.lists(st.sampled_from([*GROUPS, "formats", "gone"]), unique=True)):
        nested.setdefault(group, {})["goneMeanwhile"] = {} if group == "formats" else draw(st.integers())
    return nested, own


def expected(key: str, common: Mapping[str, Any], override: Mapping[str, Any]) -> Resolved:
    if key in override:
        return Resolved(override[key], Origin.CUSTOMER)
    return Resolved(common[key], Origin.COMMON) if key in common else Resolved(None, Origin.SOURCE)


def effective(found: Settings, key: str) -> Any:
    group, name = split(key)
    if key in DECLARED:
        return getattr(getattr(found, group), ATTRIBUTES[key])
    return found.formats[group.removeprefix("formats.")].get(name)


def parsed(key: str, value: Any) -> Any:
    """A stored value as the effective settings hold it."""
    if key in OPTIONS:
        return None if value is None else str(value).lower() if isinstance(value, bool) else str(value)
    group, name = split(key)
    return effective(settings_from({group: {} if value is None else {name: value}}), key)


@settings(max_examples=60, deadline=None)
@given(stored(), stored())
def test_every_field_is_the_customers_else_the_common_else_the_sources(common, override):
    (common_stored, common_own), (override_stored, override_own) = common, override
    found = resolve(common_stored, override_stored)
    for key in TRIES:
        one = resolve_one(*split(key), common_stored, override_stored)
        assert one == expected(key, common_own, override_own), key
        assert effective(found, key) == parsed(key, one.value), key


@settings(max_examples=60, deadline=None)
@given(stored(), stored(), st.data())
def test_a_field_that_is_set_back_is_as_before_and_so_are_the_others(common, override, data):
    key = data.draw(st.sampled_from(sorted(TRIES)))
    at = place(*split(key))
    before = applied(override[0], {at: None})
    changed = applied(before, {at: TRIES[key][0]})
    assert resolve_one(*split(key), common[0], changed) == Resolved(TRIES[key][0], Origin.CUSTOMER)
    back = applied(changed, {at: None})
    assert back == before
    assert resolve(common[0], back) == resolve(common[0], before)
    others = [other for other in TRIES if other != key]
    for other in others:
        assert resolve_one(*split(other), common[0], changed) == resolve_one(*split(other), common[0], before)


@pytest.mark.parametrize("key", TRIES)
@pytest.mark.parametrize("text", ["", "  "])
def test_an_emptied_input_sets_its_field_back(key, text):
    group, name = split(key)
    assert from_form([group], {key: text}) == {place(group, name): None}


@pytest.mark.parametrize("key", TRIES)
def test_what_a_form_stores_resolves_to_what_was_typed(key):
    group, name = split(key)
    for value in TRIES[key]:
        typed = f"{value['scheme']}:{value['value']}" if isinstance(value, dict) else str(value)
        saved = applied({}, from_form([group], {key: typed}))
        assert effective(resolve(saved, {}), key) == parsed(key, value)


def test_only_fields_that_make_sense_for_all_customers_are_common():
    individual = {key for key, field in DECLARED.items() if field.is_individual}
    common = {f"{group}.{field.name}" for group in GROUPS for field in declared(group, common=True)}
    assert common == set(DECLARED) - individual
    assert from_form(GROUPS, dict.fromkeys(individual, "x"), common=True) == {}


# --- the XML changes exactly where the setting says ----------------------------------------------------------------

BUNDLE = json.loads(
    (Path(__file__).parents[2] / "golden/bundles/delivery_and_items.json").read_text(encoding="utf-8"),
    parse_float=Decimal,
)
#: Between the budgets of one and two megabytes.
PDF = pdf_attachment(DocumentType.INVOICE, "2042", b"%PDF" * 300_000)


class NoRules:
    """What the official rules would say is not asked here."""

    def validate(self, *_: Any) -> Report:
        return Report(())


def joined(*parts: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for part in parts:
        found = applied(found, places(part))
    return found


def written(format_id: str, chosen: Mapping[str, Any], invoice: Mapping[str, Any]) -> Counter[tuple[str, str]]:
    """The document's elements and attributes: path without namespaces and text, with how often each occurs."""
    changes = {"contactMessage": "Vedr. ordre 4500123456", **invoice}
    bundle = {**BUNDLE, "invoice": {**BUNDLE["invoice"], **changes}}
    rendered = render(
        sources()["billy"],
        bundle,
        resolve(chosen, {}),
        formats()[format_id],
        NoRules(),
        attachments=(PDF,),  # type: ignore[arg-type]
    )
    assert rendered.content is not None, [finding.text.en for finding in rendered.findings if finding.is_fatal]
    found: Counter[tuple[str, str]] = Counter()

    def walk(element: etree._Element, path: str) -> None:
        found[path, (element.text or "").strip()] += 1
        for name, value in element.attrib.items():
            found[f"{path}/@{etree.QName(name).localname}", str(value)] += 1
        for child in element:
            walk(child, f"{path}/{etree.QName(child).localname}".lstrip("/"))

    walk(etree.fromstring(rendered.content), "")
    return found


def changed(format_id: str, before: Mapping[str, Any], after: Mapping[str, Any], one: Try) -> set[tuple[str, str]]:
    old, new = written(format_id, before, one.invoice), written(format_id, after, one.invoice)
    return set(old - new) | set(new - old)


def is_allowed(path: str, text: str, allowed: tuple[str, ...]) -> bool:
    """Within an allowed element, or an empty one that only holds it."""
    within = any(path == one or path.startswith(f"{one}/") for one in allowed)
    return within or (not text and any(one.startswith(f"{path}/") for one in allowed))


@cache
def states(key: str) -> tuple[tuple[str, dict[str, Any], dict[str, Any]], ...]:
    """Settings before and after: from nothing to a value, and among many others from one value to another."""
    one, (group, name) = VALUES[key], split(key)
    plain, rich = joined(one.given), joined(BUNDLE["settings"], one.given, {group: {name: one.other}})
    new = {group: {name: one.value}}
    return ("plain", plain, joined(plain, new)), ("rich", rich, joined(rich, new))


TERMS = {key: term for key, field in DECLARED.items() if (term := field.term or BESIDE.get(key))}
WITH_TERM = sorted(TERMS)
WITHOUT_TERM = sorted({*DECLARED} - {*TERMS})


@pytest.mark.parametrize("format_id", FORMATS)
@pytest.mark.parametrize("key", WITH_TERM)
def test_a_setting_changes_the_place_of_its_term_and_nothing_else(key, format_id):
    is_carried = key not in CARRIED_NOWHERE[format_id]
    allowed = paths_of(TERMS[key], format_id) if is_carried else ()
    for name, before, after in states(key):
        found = changed(format_id, before, after, VALUES[key])
        assert {(path, text) for path, text in found if not is_allowed(path, text, allowed)} == set(), name
        assert bool(found) is is_carried, name


@pytest.mark.parametrize("format_id", FORMATS)
@pytest.mark.parametrize("key", WITHOUT_TERM)
def test_a_setting_without_a_term_changes_nothing(key, format_id):
    for name, before, after in states(key):
        assert changed(format_id, before, after, VALUES[key]) == set(), name


@pytest.mark.parametrize("key", OPTIONS)
def test_an_option_of_one_format_changes_no_other(key):
    group, name = split(key)
    after = applied({}, {place(group, name): TRIES[key][0]})
    for format_id in FORMATS:
        if group != f"formats.{format_id}":
            assert changed(format_id, {}, after, Try(None, None)) == set()


def test_the_rounding_limit_decides_whether_a_document_is_written():
    """The one term that is carried nowhere by its setting."""
    bundle = {**BUNDLE, "invoice": {**BUNDLE["invoice"], "amount": BUNDLE["invoice"]["amount"] + Decimal("0.60")}}
    for limit, is_written in (("0.50", False), ("0.75", True)):
        chosen = resolve({"general": {"roundingLimit": limit}}, {})
        found = sources()["billy"].convert(bundle, chosen)
        assert (found.invoice is not None) is is_written


def test_the_table_of_what_is_carried_nowhere_names_settings_that_exist():
    assert set().union(*CARRIED_NOWHERE.values()) <= set(WITH_TERM)
