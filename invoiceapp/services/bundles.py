"""Bundle files: one JSON object with the source's own records and our ``settings``, for scripts and support."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any, NoReturn

from invoiceapp.current import config
from invoiceapp.domain.findings import Text
from invoiceapp.domain.settings import SettingsInvalid, settings_from
from invoiceapp.formats.base import Format
from invoiceapp.formats.base import registry as formats
from invoiceapp.services.export.rendering import Rendered, pdf_attachment, render
from invoiceapp.services.export.validators import validator
from invoiceapp.sources.base import UnusableBundle, registry

#: The source whose records a bundle holds.
SOURCE_KIND = "billy"
LARGEST_BUNDLE = 64 * 1024 * 1024


def _refuse(token: str) -> NoReturn:
    raise ValueError(f"{token} is not a number")


def read(path: Path) -> dict[str, Any]:
    """The object in a file. Raises ``UnusableBundle`` for anything but one."""
    try:
        if path.stat().st_size > LARGEST_BUNDLE:
            raise UnusableBundle(Text("Filen er for stor.", "The file is too large."), str(path))
        bundle = json.loads(path.read_bytes(), parse_float=Decimal, parse_constant=_refuse)
    except OSError as error:
        raise UnusableBundle(
            Text("Filen kan ikke læses.", f"The file cannot be read: {error.strerror}."), str(path)
        ) from error
    except (ValueError, ArithmeticError, RecursionError) as error:  # ArithmeticError: an exponent beyond all bounds
        raise UnusableBundle(
            Text("Filen er ikke gyldig JSON.", f"The file is not valid JSON: {error}"), str(path)
        ) from error
    if not isinstance(bundle, dict):
        raise UnusableBundle(Text("Filen skal være ét JSON-objekt.", "The file must be one JSON object."), str(path))
    return bundle


def convert(bundle: dict[str, Any], fmt: Format) -> Rendered:
    """Map, write and validate a bundle. Raises ``UnusableBundle``."""
    stored = bundle.get("settings") or {}
    if not isinstance(stored, dict):
        raise UnusableBundle(Text("»settings« skal være et objekt.", "“settings” must be an object."))
    try:
        settings = settings_from(stored)
    except SettingsInvalid as error:
        raise UnusableBundle(
            Text(f"Indstillinger kan ikke bruges: {error}", f"Settings cannot be used: {error}")
        ) from error
    source = registry()[SOURCE_KIND]
    required = config().require_official_rules
    rendered = render(source, bundle, settings, fmt, validator(), require_official_rules=required)
    embeds = settings.general.embed_pdf and fmt.carries_attachments
    if not embeds or rendered.invoice is None or rendered.content is None:
        return rendered
    invoice = rendered.invoice
    pdf = pdf_attachment(invoice.type, invoice.number, formats()["pdf"].write(invoice))
    return render(source, bundle, settings, fmt, validator(), attachments=(pdf,), require_official_rules=required)
