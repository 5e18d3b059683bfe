"""Live examples beside two settings: order numbers that a pattern finds, and file names that a template makes."""

from __future__ import annotations

from typing import Any

from flask import request

from invoiceapp.domain.file_names import TemplateInvalid
from invoiceapp.domain.number_patterns import PatternInvalid
from invoiceapp.htmx import render_page_or_fragment
from invoiceapp.models import Adaptor, Customer
from invoiceapp.services.configuration import examples


def _shown(kind: str, written: str, back: str, **context: Any) -> str:
    return render_page_or_fragment(
        "rules/example.html", "rules/_example.html", kind=kind, written=written, back=back, **context
    )


def order_numbers(adaptor: Adaptor, customer: Customer | None, back: str) -> str:
    """What the pattern in ``?pattern=`` finds in the newest documents."""
    pattern = request.args.get("pattern", "")
    try:
        found = examples.order_numbers(adaptor, customer, pattern)
    except PatternInvalid as error:
        return _shown("order-number", pattern, back, error=error.text, found=[], customer=customer)
    return _shown("order-number", pattern, back, error=None, found=found, customer=customer)


def file_names(adaptor: Adaptor, customer: Customer | None, back: str) -> str:
    """How the template in ``?template=`` names the newest documents."""
    template = request.args.get("template", "").strip()
    try:
        found = examples.file_name_list(adaptor, customer, template) if template else []
    except TemplateInvalid as error:
        return _shown("file-name", template, back, error=error.text, found=[], customer=customer)
    return _shown("file-name", template, back, error=None, found=found, customer=customer, key=examples.SAMPLE_KEY)
