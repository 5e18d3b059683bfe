from __future__ import annotations

import re
from pathlib import Path

import pytest
from lxml import etree

from invoiceapp.domain.findings import Severity, Text, Turn
from invoiceapp.domain.settings import GROUPS, fields_of
from invoiceapp.formats.base import registry as formats
from invoiceapp.formats.validation import book

FOLDER = Path(book.__file__).parent
ENTRIES = book.entries()
#: Rules of the four files about what only the official rule sets say.
OFFICIAL = {
    entry.rule: entry
    for path in sorted(FOLDER.glob("official_*.toml"))
    for entry in book._read(path)
}  # fmt: skip
#: What ``explain`` fills from a document; rules of our own (IA-*, EDI-*) get their values from the model.
OF_DOCUMENTS = {rule: entry for rule, entry in ENTRIES.items() if not rule.startswith(("IA-", "EDI-", "BILLY-"))}
FIXES = {
    "vat", "source.invoice", "source.contact", "source.organization", "customer.format", "customer.gateway",
    *(f"{group}.{field.name}" for group in GROUPS for field in fields_of(group)),
    *(f"formats.{fmt.id}.{option.name}" for fmt in formats().values() for option in fmt.options),
}  # fmt: skip
HOLES = re.compile(r"  |»«|“”|\(\)|[{}\[\]]| [.,:;]|\.\.(?!\.)|,,|^[^\w»“]|^$")
#: A preposition or verb before a full stop has lost its value.
DANGLING = re.compile(r"\b(?:i|på|er|til|fra|med|af|hos|in|of|on|is|to|from|with|be)(?: ?[.,:;]|$)")
TECHNICAL = re.compile(
    r"\b(?:XPath|XML|XSD|Schematron|element\w*|attribut\w*|c[ab]c:?|schemeID|listID|namespace)\b", re.I
)


def spoken(entry: book.Entry, filled: bool) -> list[str]:
    values = dict.fromkeys(entry.places - {"ours"}, "VÆRDI" if filled else "")
    return [book._filled(entry.text.da, "da", values), book._filled(entry.text.en, "en", values)]


def test_at_least_150_rules_beyond_the_built_in_ones_are_explained():
    assert len(OFFICIAL) >= 150
    assert len({entry.text for entry in OFFICIAL.values()}) >= 150


def holes(text: str) -> bool:
    return bool(HOLES.search(text)) or text[0].islower() or not text.endswith((".", "?", "VÆRDI"))


def test_no_sentence_has_a_hole_where_all_values_are_there():
    assert {e.rule: text for e in ENTRIES.values() for text in spoken(e, True) if holes(text)} == {}


def test_no_sentence_about_a_document_has_a_hole_where_it_says_nothing():
    assert {e.rule: text for e in OF_DOCUMENTS.values() for text in spoken(e, False) if holes(text)} == {}


def test_without_values_no_sentence_of_an_official_rule_breaks_off():
    broken = {
        entry.rule: empty
        for entry in OFFICIAL.values()
        for empty, full in zip(spoken(entry, False), spoken(entry, True), strict=True)
        if len(DANGLING.findall(empty)) > len(DANGLING.findall(full))
    }
    assert broken == {}


def test_every_value_that_is_there_is_said():
    silent = {
        entry.rule
        for entry in OFFICIAL.values()
        for text in (entry.text.da, entry.text.en)
        if set(re.findall(r"\{(\w+)\}", text)) != entry.places
    }
    assert silent == set(), "a value that one language says and the other does not"


def test_the_languages_differ():
    assert [entry.rule for entry in ENTRIES.values() if entry.text.da == entry.text.en] == []


def test_every_field_to_mend_exists():
    fixes = {
        (entry.rule, fix)
        for entry in ENTRIES.values()
        for template in (entry.fix or "", *entry.fixes.values())
        for fix in (template.replace("{party}", "customer"), template.replace("{party}", "supplier"))
        if fix
    }
    assert {(rule, fix) for rule, fix in fixes if fix not in FIXES and not fix.startswith("gateway.")} == set()


def test_terms_are_business_terms():
    assert [e.rule for e in ENTRIES.values() if e.term and not re.fullmatch(r"B[TG]-\d{1,3}", e.term)] == []


def test_who_can_mend_it_is_told_where_and_whoever_cannot_is_told_whom_to_tell():
    for entry in OFFICIAL.values():
        if entry.turn in (Turn.SOURCE, Turn.HERE):
            assert entry.fix, entry.rule
            assert "{ours}" not in entry.text.da, entry.rule
        else:
            assert entry.turn is Turn.OPERATOR, entry.rule
            assert "{ours}" in entry.text.da or "I skal ikke gøre noget" in entry.text.da, entry.rule
            assert "{ours}" in entry.text.en or "ou need not act" in entry.text.en, entry.rule


def test_accountants_read_no_technical_words():
    assert {
        entry.rule: text
        for entry in OFFICIAL.values()
        if entry.turn is not Turn.OPERATOR
        for text in spoken(entry, False)
        if TECHNICAL.search(text)
    } == {}


def test_every_xpath_can_be_evaluated_anywhere():
    place = etree.fromstring("<a><b/></a>")
    for entry in ENTRIES.values():
        values = book.values_at(place, entry.values)
        assert set(values) == set(entry.values), entry.rule
        for where in entry.fixes:
            assert book._is_at(place, where) in (True, False), entry.rule


def test_every_place_of_an_official_rule_has_a_value_from_somewhere():
    known = {*book._XPATHS, *book._WORDS, "rule", "official", "row", "detail"}
    assert {
        e.rule: e.places - known - e.values.keys() for e in OFFICIAL.values() if e.places - known - e.values.keys()
    } == {}
    assert {e.rule: e.values.keys() - e.places for e in OFFICIAL.values() if e.values.keys() - e.places} == {}


def test_the_users_guide_names_rules_that_the_book_knows():
    guide = (Path(__file__).parents[3] / "docs" / "errors.md").read_text(encoding="utf-8")
    named = re.findall(r"`((?:BR|PEPPOL|DK-R|F|W|FX|CII|UBL|XSD)[A-Z0-9-]*)`", guide)
    assert len(named) >= 30
    assert [rule for rule in named if book.entry_of(rule) is None] == []


def entry(da: str, en: str, **fields: object) -> book.Entry:
    return book.Entry("X-1", Text(da, en), Turn.HERE, **fields)  # type: ignore[arg-type]


def said(monkeypatch: pytest.MonkeyPatch, template: str, **values: book.Value) -> str:
    monkeypatch.setattr(book, "entry_of", lambda rule: entry(template, template))
    return book.finding("X-1", **values).text.en


@pytest.mark.parametrize(
    ("template", "values", "text"),
    [
        ("The code »{value}« is wrong.", {"value": "X"}, "The code »X« is wrong."),
        ("The code »{value}« is wrong.", {"value": ""}, "The code is wrong."),
        ("The code “{value}” is wrong.", {}, "The code is wrong."),
        ("The code ({value}) is wrong.", {"value": None}, "The code is wrong."),
        ("The code (»{value}«) is wrong.", {}, "The code is wrong."),
        ("The code (“{value}”) is wrong.", {}, "The code is wrong."),
        ("The code (“{value}”) is wrong.", {"value": "X"}, "The code (“X”) is wrong."),
        ("It has two[, not {n}].", {"n": "3"}, "It has two, not 3."),
        ("It has two[, not {n}].", {}, "It has two."),
        ("From[ {a}][ to {b}] it goes.", {"b": "X"}, "From to X it goes."),
        ("Line {line} lacks it.", {}, "Line without a number lacks it."),
        (
            "{buyer} is wrong. {buyer} too, says {buyer}.",
            {},
            "The customer is wrong. The customer too, says the customer.",
        ),
        ("A word {value} in the text.", {}, "A word in the text."),
        ("It says {value}.", {"value": "a  {b} [c] ."}, "It says a  {b} [c] .."),
        ("{value} it is.", {"value": Text("dit", "your own")}, "Your own it is."),
        ("{value} it is.", {"value": "iPad"}, "iPad it is."),
        ("The discount of {value} on line {line} lacks it.", {}, "The discount on line without a number lacks it."),
        ("The sum is {value}, but it is {other}.", {"other": "2"}, "The sum is not stated, but it is 2."),
    ],
)
def test_an_empty_value_leaves_no_hole(monkeypatch, template, values, text):
    assert said(monkeypatch, template, **values) == text


def test_a_rule_without_an_entry_falls_to_its_family_the_nearest_first():
    assert book.entry_of("UBL-SR-99").rule == "UBL-SR-*"
    assert book.entry_of("UBL-SR-48").rule == "UBL-SR-48"
    assert book.entry_of("NO-SUCH-RULE") is None
    with pytest.raises(KeyError):
        book.finding("NO-SUCH-RULE")


def test_a_rule_that_means_the_same_shares_the_text_and_has_its_own_term():
    first, other = ENTRIES["BR-DEC-09"], ENTRIES["BR-DEC-18"]
    assert (first.text, first.term, other.term) == (other.text, "BT-106", "BT-115")


def test_a_rule_that_two_files_explain_is_refused(tmp_path, monkeypatch):
    for name in ("a", "b"):
        (tmp_path / f"{name}.toml").write_text('[X-1]\nda = "Ja."\nen = "Yes."\nturn = "here"\n', encoding="utf-8")
    monkeypatch.setattr(book, "__file__", str(tmp_path / "__init__.py"))
    with pytest.raises(ValueError, match=r"b\.toml explains X-1"):
        book.entries.__wrapped__()


UBL = (
    '<Invoice xmlns="urn:oasis:names:specification:ubl:schema:xsd:Invoice-2"'
    ' xmlns:cac="urn:oasis:names:specification:ubl:schema:xsd:CommonAggregateComponents-2"'
    ' xmlns:cbc="urn:oasis:names:specification:ubl:schema:xsd:CommonBasicComponents-2">{}</Invoice>'
)
CII = (
    '<rsm:CrossIndustryInvoice xmlns:rsm="urn:un:unece:uncefact:data:standard:CrossIndustryInvoice:100"'
    ' xmlns:ram="urn:un:unece:uncefact:data:standard:ReusableAggregateBusinessInformationEntity:100">{}'
    "</rsm:CrossIndustryInvoice>"
)
LINES = "".join(
    f"<cac:InvoiceLine><cbc:ID>{n}</cbc:ID><cac:Item><cbc:Name>Vare {n}</cbc:Name></cac:Item></cac:InvoiceLine>"
    for n in range(1, 9)
)


def explained(rule: str, place: etree._Element | None, others: tuple[etree._Element, ...] = (), more: int = 0) -> Text:
    return book.explain(rule, Severity.FATAL, "Official words", "/x", place, others, more).text


def test_the_line_and_its_item_are_found_in_ubl_and_in_cii():
    ubl = etree.fromstring(UBL.format(LINES))
    assert explained("BR-24", ubl[2]).da.startswith("Linje 3 »Vare 3« har intet linjebeløb.")
    cii = etree.fromstring(
        CII.format(
            "<ram:IncludedSupplyChainTradeLineItem><ram:AssociatedDocumentLineDocument><ram:LineID>7</ram:LineID>"
            "</ram:AssociatedDocumentLineDocument><ram:SpecifiedTradeProduct><ram:Name>Cykel</ram:Name>"
            "</ram:SpecifiedTradeProduct></ram:IncludedSupplyChainTradeLineItem>"
        )
    )
    assert explained("BR-24", cii[0]).en.startswith("Line 7 “Cykel” has no net amount.")


@pytest.mark.parametrize(
    ("others", "more", "sentence"),
    [
        ((1,), 1, " Det samme gælder linje 2. "),
        ((1, 2, 3), 3, " Det samme gælder linje 2, 3 og 4. "),
        ((1, 2, 3, 4, 5), 299, " Det samme gælder 299 andre steder. "),
        ((), 1, " Det samme gælder et sted mere. "),
        ((), 0, ""),
    ],
)
def test_further_places_are_told_before_whom_to_tell(others, more, sentence):
    root = etree.fromstring(UBL.format(LINES))
    text = explained("BR-24", root[0], tuple(root[n] for n in others), more).da
    assert f"intet linjebeløb.{sentence or ' '}Det kan ikke rettes" in text


def test_an_amount_is_written_as_each_language_does():
    root = etree.fromstring(
        UBL.format(
            "<cac:InvoiceLine><cac:Price><cbc:PriceAmount>1000.5</cbc:PriceAmount><cac:AllowanceCharge>"
            "<cbc:Amount>x</cbc:Amount></cac:AllowanceCharge></cac:Price></cac:InvoiceLine>"
        )
    )
    text = explained("PEPPOL-EN16931-R046", root[0][0][1])
    assert "nettoprisen 1.000,50 er ikke bruttoprisen minus rabatten x." in text.da
    assert "net price 1000.50 is" in text.en


@pytest.mark.parametrize(
    ("party", "fix", "whose"),
    [("AccountingSupplierParty", "supplier.street", "jeres"), ("AccountingCustomerParty", "customer.street", "kundens"),
     ("PayeeParty", None, "en parts")],
)  # fmt: skip
def test_the_field_to_mend_belongs_to_the_party_that_the_rule_complains_of(party, fix, whose):
    root = etree.fromstring(UBL.format(f"<cac:{party}><cac:PostalAddress/></cac:{party}>"))
    found = book.explain("F-LIB034", Severity.FATAL, "x", "/x", root[0][0])
    assert found.fix == fix
    assert f"Gaden mangler i {whose} adresse." in found.text.da


PARTY = "<cac:Party>{}</cac:Party>"
NUMBER = "<cac:PartyTaxScheme><cbc:CompanyID>DK1</cbc:CompanyID></cac:PartyTaxScheme>"


@pytest.mark.parametrize(
    ("rule", "path", "fix"),
    [
        ("BR-CL-14", "AccountingSupplierParty/cac:Country", "source.organization"),
        ("BR-CL-14", "AccountingCustomerParty/cac:Country", "customer.country"),
        ("BR-CL-14", "Delivery/cac:Country", "customer.deliveryCountry"),
        ("F-LIB301", "AccountingSupplierParty/cac:Country", "source.organization"),
        ("PEPPOL-COMMON-R040", "AccountingCustomerParty/cbc:EndpointID", "customer.endpoint"),
        ("PEPPOL-COMMON-R040", "AccountingSupplierParty/cbc:ID", "supplier.gln"),
        ("PEPPOL-COMMON-R042", "AccountingSupplierParty/cbc:EndpointID", "supplier.endpoint"),
        ("PEPPOL-COMMON-R042", "AccountingSupplierParty/cbc:CompanyID", "source.organization"),
        ("PEPPOL-COMMON-R042", "AccountingCustomerParty/cbc:CompanyID", "source.contact"),
        ("F-LIB184", "AccountingSupplierParty/cac:PartyLegalEntity", "source.organization"),
        ("F-LIB187", "AccountingCustomerParty/cac:PartyLegalEntity", "source.contact"),
        ("F-LIB022", "AccountingCustomerParty/cac:Party", "customer.name"),
        ("F-LIB179", "AccountingSupplierParty/cac:Party", "customer.format"),
    ],
)
def test_the_field_to_mend_follows_the_place(rule, path, fix):
    outer, inner = path.split("/")
    place = etree.fromstring(UBL.format(f"<cac:{outer}><{inner}/></cac:{outer}>"))[0][0]
    assert book.explain(rule, Severity.FATAL, "x", "/x", place).fix == fix


@pytest.mark.parametrize("rule", ["BR-AE-02", "BR-IC-02", "BR-IC-04"])
@pytest.mark.parametrize(("number", "fix"), [("", "supplier.vatNumber"), (NUMBER, "customer.vatNumber")])
def test_of_two_parties_the_one_without_a_number_is_named(rule, number, fix):
    supplier = f"<cac:AccountingSupplierParty>{PARTY.format(number)}</cac:AccountingSupplierParty>"
    assert book.explain(rule, Severity.FATAL, "x", "/x", etree.fromstring(UBL.format(supplier))).fix == fix


def test_an_unknown_rule_speaks_its_own_words_in_full():
    text = explained("ZZ-1", None)
    assert text.en == "The document breaks rule ZZ-1, for which we have no explanation. The rule says: Official words."
    assert book.explain("ZZ-1", Severity.FATAL, "", None, None).text.en.endswith("we have no explanation.")
    assert "x" * 300 in book.explain("ZZ-1", Severity.FATAL, "x" * 300, None, None).text.da
