"""What a user fills in for Recommand."""

from __future__ import annotations

from invoiceapp.domain.fields import Field
from invoiceapp.domain.findings import Text
from invoiceapp.gateways.providers import address_fields

URLS = {"live": "https://app.recommand.eu"}

FIELDS = (
    Field(
        "company",
        Text("Firmaets id hos Recommand", "The company's id at Recommand"),
        required=True,
        pattern=r"[A-Za-z0-9_-]{1,80}",
        help=Text(
            "Står ved firmaet hos Recommand: bogstaver, cifre, - og _.",
            "Stands beside the company at Recommand: letters, digits, - and _.",
        ),
    ),
    Field(
        "api_key",
        Text("API-nøgle", "API key"),
        required=True,
        pattern=r"[!-9;-~]{1,200}",
        help=Text("Uden kolon og mellemrum.", "Without colon and blanks."),
    ),
    Field(
        "api_secret",
        Text("API-nøglens hemmelighed", "Secret of the API key"),
        required=True,
        secret=True,
        help=Text(
            "Recommand viser den kun én gang, når nøglen laves.",
            "Recommand shows it only once, when the key is made.",
        ),
    ),
    *address_fields(URLS),
)
