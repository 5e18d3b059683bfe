"""The built-in rules and the official packs refuse the same documents, but for what ``DISAGREEMENTS`` explains."""

from __future__ import annotations

from pathlib import Path

import pytest

from invoiceapp.domain.findings import Finding
from invoiceapp.domain.invoice import DocumentType, Invoice
from invoiceapp.formats.base import Format
from invoiceapp.formats.base import registry as formats
from tests.formats.validation.documents import BASES, document
from tests.formats.validation.mutations import DISAGREEMENTS, MUTATIONS, NEIGHBOURS, Mutation

FORMATS = ("peppol-bis-3", "oioubl-2.1")
DOCS = Path(__file__).parents[3] / "docs" / "validation.md"

of_each_kind = pytest.mark.parametrize(
    ("fmt", "document_type"),
    [(name, document_type) for name in FORMATS for document_type in DocumentType],
    ids=[f"{name}-{document_type}" for name in FORMATS for document_type in DocumentType],
)


def fatal(findings: list[Finding] | tuple[Finding, ...]) -> set[str]:
    return {finding.rule for finding in findings if finding.is_fatal}


def broken(mutation: Mutation, document_type: DocumentType) -> Invoice:
    return mutation.change(document(mutation.base, document_type))


def official_rules(official, fmt: Format, invoice: Invoice) -> set[str]:
    try:
        content = fmt.write(invoice)
    except UnicodeEncodeError:
        return {"XML"}
    report = official.validate(content, fmt, invoice.type)
    assert report.is_complete
    return fatal(report.findings)


def is_disagreement(mutation: Mutation, fmt: str, document_type: DocumentType) -> bool:
    return any(
        found.mutation == mutation.name and found.format_id == fmt and found.types in ("both", document_type)
        for found in DISAGREEMENTS
    )


def test_there_are_many_mutations_and_each_has_a_name_of_its_own():
    assert len({mutation.name for mutation in MUTATIONS}) == len(MUTATIONS) >= 150
    assert {found.mutation for found in DISAGREEMENTS} <= {mutation.name for mutation in MUTATIONS}


@of_each_kind
@pytest.mark.parametrize("base", BASES)
def test_valid_documents_are_let_through(fmt, document_type, base):
    assert fatal(formats()[fmt].check(document(base, document_type))) == set()


@of_each_kind
@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.name)
def test_the_built_in_rules_notice_what_they_are_expected_to(fmt, document_type, mutation):
    found = fatal(formats()[fmt].check(broken(mutation, document_type)))
    expected = mutation.rule(fmt, document_type)
    assert expected in found if expected else found == set()


@of_each_kind
@pytest.mark.parametrize("base", BASES)
def test_the_official_packs_let_valid_documents_through(official, fmt, document_type, base):
    assert official_rules(official, formats()[fmt], document(base, document_type)) == set()


@of_each_kind
@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.name)
def test_the_official_packs_agree(official, fmt, document_type, mutation):
    theirs = official_rules(official, formats()[fmt], broken(mutation, document_type))
    ours = mutation.rule(fmt, document_type)
    if is_disagreement(mutation, fmt, document_type):
        assert ours
        assert theirs == set()
    elif ours is None:
        assert theirs == set()
    else:
        assert theirs & {ours, *NEIGHBOURS.get(ours, ())}


def test_the_documentation_lists_exactly_the_disagreements():
    section = DOCS.read_text(encoding="utf-8").split("\n## Agreement\n")[1].split("\n## ")[0]
    rows = [line.strip("| ").split(" | ") for line in section.splitlines() if line.startswith("| ")][1:]
    documents = {"both": "invoices and credit notes", "invoice": "invoices", "creditNote": "credit notes"}
    assert rows == [[found.mutation, found.format_id, documents[found.types], found.reason] for found in DISAGREEMENTS]
    assert f"holds {len(MUTATIONS)} ways" in section
