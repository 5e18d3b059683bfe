from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from flask import Flask
from lxml import etree

from invoiceapp import create_app
from invoiceapp.config import load
from invoiceapp.domain.delivery import DeliveryState

BUNDLES = Path(__file__).parent / "golden" / "bundles"
Run = Callable[..., Result]


def runner_of(app: Flask) -> Run:
    """``run("formats", "list")``; a traceback fails the test, whatever it expected."""
    runner = app.test_cli_runner()

    def invoke(*args: object) -> Result:
        result = runner.invoke(args=[str(arg) for arg in args])
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exc_info
        assert "Traceback" not in result.output
        return result

    return invoke


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Run:
    """Commands that need no database, in one app, so that the rules are compiled once."""
    return runner_of(create_app(load({"INSTANCE_DIR": str(tmp_path_factory.mktemp("instance"))})))


@pytest.fixture
def run_on_database(app) -> Run:
    return runner_of(app)


@pytest.fixture
def bundle() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((BUNDLES / "plain.json").read_bytes())
    return loaded


@pytest.fixture
def write(run, tmp_path) -> Callable[..., Result]:
    """``formats write`` of a bundle given as an object or as raw bytes."""

    def convert(content: Any, fmt: str = "peppol-bis-3") -> Result:
        path = tmp_path / "bundle.json"
        path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
        return run("formats", "write", fmt, path)

    return convert


def rules(result: Result) -> list[str]:
    return [finding["rule"] for finding in json.loads(result.stderr)]


def payable(content: bytes) -> str | None:
    return etree.fromstring(content).findtext(".//{*}PayableAmount")


def test_all_formats_are_listed_with_their_names(run):
    result = run("formats", "list")
    assert result.exit_code == 0
    listed = dict(line.split("\t") for line in result.stdout.splitlines())
    assert {"peppol-bis-3", "oioubl-2.1", "pdf"} <= set(listed)
    assert all(listed.values())


@pytest.mark.parametrize("fmt", ["peppol-bis-3", "oioubl-2.1"])
@pytest.mark.parametrize("path", sorted(BUNDLES.glob("*.json")), ids=lambda path: path.stem)
def test_a_bundle_is_written_to_standard_output(run, fmt, path):
    result = run("formats", "write", fmt, path)
    if fmt == "oioubl-2.1" and path.stem == "eu_goods_by_choice":
        assert (result.exit_code, rules(result)) == (3, ["F-LIB179"])
        return
    assert (result.exit_code, result.stderr) == (0, "")
    gross = json.loads(path.read_bytes())["invoice"]["grossAmount"]
    assert payable(result.stdout_bytes) == f"{abs(gross):.2f}"


def test_one_bundle_is_written_to_a_file(run, tmp_path):
    out = tmp_path / "new" / "invoice.xml"
    result = run("formats", "write", "peppol-bis-3", BUNDLES / "plain.json", "--out", out)
    assert (result.exit_code, result.stdout) == (0, "")
    assert out.read_bytes() == (BUNDLES.parent / "peppol-bis-3" / "plain.xml").read_bytes()


def test_several_bundles_are_written_to_a_folder_under_their_names(run, tmp_path):
    result = run(
        "formats", "write", "pdf", BUNDLES / "plain.json", BUNDLES / "rounding.json", "--out-dir", tmp_path / "out"
    )
    assert result.exit_code == 0
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["plain.pdf", "rounding.pdf"]
    assert (tmp_path / "out" / "plain.pdf").read_bytes().startswith(b"%PDF")


@pytest.mark.parametrize(
    "options", [[], ["--out", "x.xml"], ["--out", "x.xml", "--out-dir", "y"]], ids=["none", "out", "both"]
)
def test_several_bundles_without_a_folder_are_a_usage_error(run, options):
    result = run("formats", "write", "peppol-bis-3", BUNDLES / "plain.json", BUNDLES / "rounding.json", *options)
    assert result.exit_code == 2
    assert "--out-dir" in result.stderr


def test_two_bundles_of_one_name_do_not_overwrite_each_other(run, tmp_path):
    (tmp_path / "plain.json").write_bytes((BUNDLES / "rounding.json").read_bytes())
    result = run(
        "formats", "write", "peppol-bis-3", BUNDLES / "plain.json", tmp_path / "plain.json", "--out-dir", tmp_path / "o"
    )
    assert result.exit_code == 2
    assert "overwrite" in result.stderr
    assert not (tmp_path / "o").exists()


def test_an_unknown_format_is_a_usage_error(run):
    result = run("formats", "write", "word", BUNDLES / "plain.json")
    assert result.exit_code == 2
    assert "flask formats list" in result.stderr


def test_a_folder_that_cannot_be_written_is_one_line(run, tmp_path):
    (tmp_path / "file").write_text("x")
    result = run("formats", "write", "peppol-bis-3", BUNDLES / "plain.json", "--out", tmp_path / "file" / "x.xml")
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: ")


def test_a_blocked_bundle_tells_its_findings_as_json(write, bundle):
    bundle["contact"]["countryId"] = None
    bundle["contact"]["ean"] = "5798009811579"
    result = write(bundle)
    assert (result.exit_code, result.stdout) == (3, "")
    findings = json.loads(result.stderr)
    assert {finding["rule"] for finding in findings} == {"BR-11", "PEPPOL-COMMON-R040"}
    assert all(finding["file"].endswith("bundle.json") for finding in findings)
    assert all(finding["text"]["da"] and finding["text"]["en"] for finding in findings)


def test_good_bundles_are_written_though_others_are_not(run, tmp_path, bundle):
    (tmp_path / "broken.json").write_bytes(b"{")
    (tmp_path / "blocked.json").write_text(json.dumps(bundle | {"invoice": bundle["invoice"] | {"lines": []}}))
    names = [tmp_path / "broken.json", tmp_path / "blocked.json", BUNDLES / "plain.json"]
    result = run("formats", "write", "peppol-bis-3", *names, "--out-dir", tmp_path / "out")
    assert result.exit_code == 2
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["plain.xml"]
    assert "broken.json" in result.stderr and "BR-16" in result.stderr


JUNK = {
    "empty": b"",
    "half": b'{"invoice": {',
    "text": b"invoice",
    "list": b"[]",
    "number": b"7",
    "null": b"null",
    "nan": b'{"invoice": {"amount": NaN}}',
    "infinity": b'{"invoice": {"amount": -Infinity}}',
    "endless exponent": b'{"invoice": {"amount": 1e99999999999999999999}}',
    "very long number": b'{"invoice": ' + b"9" * 5000 + b"}",
    "deep": b'{"a":' * 100_000,
    "latin-1": '{"invoice": "æ"}'.encode("latin-1"),
    "binary": bytes(range(256)),
    "xml": b"<Invoice/>",
    "empty object": b"{}",
    "nulls": b'{"invoice": null, "organization": null, "contact": null}',
}


@pytest.mark.parametrize("content", JUNK.values(), ids=JUNK)
def test_junk_is_refused_with_one_line(write, content):
    result = write(content)
    assert (result.exit_code, result.stdout) == (2, "")
    assert len(result.stderr.splitlines()) == 1


def test_missing_files_and_folders_are_refused(run, tmp_path):
    for path in (tmp_path / "none.json", tmp_path):
        result = run("formats", "write", "peppol-bis-3", path)
        assert result.exit_code == 2
        assert "cannot be read" in result.stderr


Change = Callable[[dict[str, Any]], object]
UNUSABLE: dict[str, Change] = {
    "draft": lambda b: b["invoice"].update(state="draft", invoiceNo=None),
    "voided": lambda b: b["invoice"].update(state="voided"),
    "no number": lambda b: b["invoice"].update(invoiceNo=""),
    "no organization": lambda b: b.pop("organization"),
    "no contact": lambda b: b.pop("contact"),
    "no invoice": lambda b: b.pop("invoice"),
    "null lines": lambda b: b["invoice"].update(lines=None),
    "no lines": lambda b: b["invoice"].pop("lines"),
    "null in lines": lambda b: b["invoice"]["lines"].append(None),
    "no amount": lambda b: b["invoice"].pop("amount"),
    "amount in words": lambda b: b["invoice"].update(amount="1.000,00"),
    "huge quantity": lambda b: b["invoice"]["lines"][0].update(quantity=10**16),
    "quantity in words": lambda b: b["invoice"]["lines"][0].update(quantity="to"),
    "no date": lambda b: b["invoice"].update(entryDate=None),
    "impossible date": lambda b: b["invoice"].update(entryDate="2026-02-30"),
    "settings of the wrong kind": lambda b: b.update(settings=[1]),
    "unknown setting": lambda b: b.update(settings={"general": {"colour": "blue"}}),
    "unknown group of settings": lambda b: b.update(settings={"generel": {}}),
    "unknown VAT category": lambda b: b.update(settings={"vat": {"rate25": {"category": "25"}}}),
    "surrogate in a setting": lambda b: b.update(settings={"customer": {"name": "\ud800"}}),
}
BLOCKED: dict[str, tuple[Change, str]] = {
    "empty lines": (lambda b: b["invoice"].update(lines=[]), "BR-16"),
    "no tax rates": (lambda b: b.pop("taxRates"), "BILLY-TAX-RATE"),
    "null tax rates": (lambda b: b.update(taxRates=None), "BILLY-TAX-RATE"),
    "no country": (lambda b: b["contact"].pop("countryId"), "BR-11"),
    "no address": (lambda b: b["contact"].update(ean=None, registrationNo=None), "PEPPOL-EN16931-R010"),
    "no name": (lambda b: b["contact"].update(name=" "), "BR-07"),
    "no CVR number": (lambda b: b["organization"].pop("registrationNo"), "DK-R-002"),
    "no currency rate": (lambda b: b["invoice"].update(currencyId="EUR", exchangeRate=None), "BILLY-EXCHANGE-RATE"),
    "currency that is none": (lambda b: b["invoice"].update(currencyId="kr."), "BR-CL-04"),
    "totals that do not meet": (lambda b: b["invoice"].update(amount=1099.99), "IA-TOTAL"),
    "quantity that does not meet": (lambda b: b["invoice"]["lines"][0].update(quantity=10**9), "IA-TOTAL"),
    "no reference": (
        lambda b: b["invoice"].update(orderNo=None) or b.update(contactPerson=None),
        "PEPPOL-EN16931-R003",
    ),
    "VAT without registration": (lambda b: b["organization"].update(hasVat=False), "BR-S-02"),
    "category that does not fit": (lambda b: b.update(settings={"vat": {"rate25": {"category": "Z"}}}), "BR-Z-05"),
    "outside scope with VAT": (lambda b: b.update(settings={"vat": {"rate25": {"category": "O"}}}), "BR-O-05"),
}


def negative(b: dict[str, Any]) -> None:
    b["invoice"].update(type="creditNote", amount=-999.99, tax=-250.0, grossAmount=-1249.99)
    for line in b["invoice"]["lines"]:
        line["quantity"] = -line["quantity"]


def as_strings(b: dict[str, Any]) -> None:
    b["invoice"].update(amount="999.99", tax="250.00", invoiceNo=2042, exchangeRate="1")
    for line in b["invoice"]["lines"]:
        line.update(quantity=str(line["quantity"]), unitPrice=str(line["unitPrice"]))


FINE: dict[str, Change] = {
    "numbers as strings": as_strings,
    "whole numbers as floats": lambda b: b["invoice"]["lines"][0].update(quantity=2.0, unitPrice=450.0, priority=1.0),
    "unknown keys": lambda b: b.update(unknown={"a": [1]}) or b["invoice"].update(newField="x"),
    "no optional parts": lambda b: [b.pop(key) for key in ("account", "creditedInvoice", "contactPerson", "settings")],
    "null parts": lambda b: b.update(account=None, creditedInvoice=None, contactPerson=None, settings=None),
    "no products": lambda b: [b.update(products=None)] + [line.update(description="x") for line in b["invoice"]["lines"]],
    "a megabyte of note": lambda b: b["invoice"].update(contactMessage="Hej med jer\n" * 90_000),
    "lone surrogates": lambda b: b["invoice"].update(contactMessage="\ud800x", id="\udfff") or b["contact"].update(name="A\udc00"),
    "control characters": lambda b: b["contact"].update(name="A\u0000\u0008B", street="C\u2028D"),
    "credit note with negative amounts": negative,
    "no gross amount": lambda b: b["invoice"].pop("grossAmount"),
    "no due date": lambda b: b["invoice"].update(dueDate=""),
    "country in small letters": lambda b: b["contact"].update(countryId="dk"),
    "rubbish in the account": lambda b: b.update(account={"bankIban": "x", "bankRoutingNo": [], "bankAccountNo": {}}),
}  # fmt: skip


@pytest.mark.parametrize("fmt", ["peppol-bis-3", "oioubl-2.1"])
@pytest.mark.parametrize("change", UNUSABLE.values(), ids=UNUSABLE)
def test_unusable_bundles_are_refused(write, bundle, fmt, change):
    change(bundle)
    result = write(bundle, fmt)
    assert (result.exit_code, result.stdout) == (2, "")
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize(("change", "rule"), BLOCKED.values(), ids=BLOCKED)
def test_wrong_bundles_are_blocked_by_the_rule_that_says_why(write, bundle, change, rule):
    change(bundle)
    result = write(bundle)
    assert (result.exit_code, result.stdout) == (3, "")
    assert rule in rules(result)


@pytest.mark.parametrize("fmt", ["peppol-bis-3", "oioubl-2.1"])
@pytest.mark.parametrize("change", FINE.values(), ids=FINE)
def test_odd_bundles_become_valid_documents(write, bundle, fmt, change):
    change(bundle)
    result = write(bundle, fmt)
    assert (result.exit_code, result.stderr) == (0, "")
    assert payable(result.stdout_bytes) == "1249.99"


HOSTILE = (None, "", 0, -1, True, [], {}, "x", "<&>\u0000", "\ud800", 1e300, "1e-999999", 10**40)


@pytest.mark.parametrize(
    "group", ["organization", "account", "contact", "contactPerson", "invoice", "products", "taxRates", "line"]
)
def test_no_hostile_value_anywhere_ends_in_a_traceback(write, bundle, group):
    holders = {
        "products": bundle["products"][0],
        "taxRates": bundle["taxRates"][0],
        "line": bundle["invoice"]["lines"][0],
    }
    whole = copy.deepcopy(bundle)
    for number, name in enumerate(holders.get(group, bundle.get(group))):
        for value in HOSTILE:
            changed = copy.deepcopy(whole)
            nested = {
                "products": changed["products"][0], "taxRates": changed["taxRates"][0], "line": changed["invoice"]["lines"][0],
            }  # fmt: skip
            nested.get(group, changed.get(group))[name] = value
            result = write(changed, ("peppol-bis-3", "oioubl-2.1")[number % 2])
            assert result.exit_code in (0, 2, 3), (group, name, value)
            assert bool(result.stdout) is (result.exit_code == 0)


def test_the_example_of_the_documentation_is_valid(write):
    text = (Path(__file__).parent.parent / "docs" / "bundles.md").read_text(encoding="utf-8")
    example = text.split("```json\n")[1].split("```")[0].encode()
    for fmt in ("peppol-bis-3", "oioubl-2.1"):
        result = write(example, fmt)
        assert (result.exit_code, result.stderr) == (0, "")
        assert payable(result.stdout_bytes) == "1143.75"


def test_an_embedded_pdf_travels_in_the_document(write, bundle):
    bundle["settings"] = {"general": {"embedPdf": True}}
    result = write(bundle)
    assert result.exit_code == 0
    embedded = etree.fromstring(result.stdout_bytes).find(".//{*}EmbeddedDocumentBinaryObject")
    assert (embedded.get("mimeCode"), embedded.get("filename")) == ("application/pdf", "2042.pdf")


@pytest.fixture
def documents(tmp_path) -> dict[str, Path]:
    good = BUNDLES.parent / "peppol-bis-3" / "plain.xml"
    wrong, junk = tmp_path / "wrong.xml", tmp_path / "junk.xml"
    wrong.write_bytes(good.read_bytes().replace(b">1249.99</cbc:PayableAmount>", b">1.00</cbc:PayableAmount>"))
    junk.write_bytes(b"<!DOCTYPE x [<!ENTITY e SYSTEM 'file:///etc/passwd'>]><x>&e;</x>")
    return {"good": good, "wrong": wrong, "junk": junk, "oioubl": BUNDLES.parent / "oioubl-2.1" / "plain.xml"}


@pytest.mark.parametrize(
    ("names", "code"),
    [(["good"], 0), (["oioubl"], 0), (["good", "oioubl"], 0), (["wrong"], 3), (["good", "wrong"], 3), (["junk"], 2),
     (["wrong", "junk", "good"], 2)],
)  # fmt: skip
def test_the_exit_code_tells_the_worst_of_the_validated_files(run, documents, names, code):
    assert run("formats", "validate", *(documents[name] for name in names)).exit_code == code


def test_validation_as_json_has_one_object_a_file(run, documents, tmp_path):
    result = run(
        "formats", "validate", "--json", documents["good"], documents["wrong"], documents["junk"], tmp_path / "none"
    )
    good, wrong, junk, none = json.loads(result.stdout)
    keys = {"file", "format", "valid", "unusable", "rule_sets", "missing", "findings"}
    assert all(keys <= set(item) for item in (good, wrong, junk, none))
    assert (good["format"], good["valid"], good["findings"]) == ("peppol-bis-3", True, [])
    assert good["rule_sets"][0].startswith("en16931-ubl ")
    assert (wrong["valid"], [finding["rule"] for finding in wrong["findings"]]) == (False, ["BR-CO-16"])
    assert (junk["unusable"], junk["findings"][0]["rule"]) == (True, "XML")
    assert none["unusable"] and "cannot read" in none["error"]


def test_validation_for_people_says_what_is_wrong_and_what_was_not_checked(run, documents):
    result = run("formats", "validate", documents["wrong"])
    assert "not valid (peppol-bis-3; en16931-ubl" in result.stdout
    assert "fatal BR-CO-16: " in result.stdout


@pytest.mark.parametrize("content", [b"", b"{}", b"<a>", b"<html/>", b"%PDF-1.7", bytes(range(256)), b"<a>" * 100_000])
def test_junk_is_never_valid(run, tmp_path, content):
    (tmp_path / "junk").write_bytes(content)
    result = run("formats", "validate", "--json", tmp_path / "junk")
    assert result.exit_code == 2
    assert json.loads(result.stdout)[0]["valid"] is False


def test_file_names_that_are_no_text_are_told_readably(run, tmp_path):
    path = tmp_path / "f\udcff.xml"
    try:
        path.write_bytes(b"junk")
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")
    result = run("formats", "validate", "--json", path)
    assert result.exit_code == 2
    assert json.loads(result.stdout)[0]["file"].endswith("\ufffd.xml")


def test_a_run_of_an_unknown_adaptor_is_refused_in_one_line(run_on_database):
    result = run_on_database("runs", "start", "nobody")
    assert result.exit_code == 1
    assert result.stderr.splitlines() == ["Error: There is no adaptor “nobody”."]


def test_no_deliveries_are_an_empty_list(run_on_database):
    assert json.loads(run_on_database("deliveries", "list", "--json").stdout) == []
    assert run_on_database("deliveries", "list").stdout == ""


def test_deliveries_are_listed_with_the_keys_that_scripts_rely_on(
    run_on_database, make_customer, make_document, make_delivery
):
    document = make_document(make_customer("Kommune Eksempel"))
    make_delivery(document, DeliveryState.ACCEPTED)
    (row,) = json.loads(run_on_database("deliveries", "list", "--json").stdout)
    expected = {
        "document_no": "1001", "type": "invoice", "customer": "Kommune Eksempel", "format": "peppol-bis-3",
        "transport": "sftp", "state": "accepted", "sha256": None, "findings": [],
    }  # fmt: skip
    assert {key: row[key] for key in expected} == expected
    assert (
        "1001\tinvoice\tKommune Eksempel\tpeppol-bis-3\tsftp\taccepted" in run_on_database("deliveries", "list").stdout
    )


def test_deliveries_are_narrowed_by_state(run_on_database, make_customer, make_document, make_delivery):
    make_delivery(make_document(make_customer()), DeliveryState.FAILED)
    assert len(json.loads(run_on_database("deliveries", "list", "--json", "--state", "failed").stdout)) == 1
    assert json.loads(run_on_database("deliveries", "list", "--json", "--state", "pending").stdout) == []
    assert run_on_database("deliveries", "list", "--state", "lost").exit_code == 2
