"""Declared fields of an eCourier gateway."""

from __future__ import annotations

from dataclasses import replace

from invoiceapp.domain.fields import Field, FieldType
from invoiceapp.domain.findings import Text
from invoiceapp.gateways.common_fields import CONNECTIONS
from invoiceapp.gateways.providers import ANSWER_HOURS, CALLBACK_URL, TOKEN, address_fields

#: Testing has the same address: the access key tells which it is.
URLS = {"live": "https://api.ecourier.io/v1"}

_TOKEN = replace(
    TOKEN,
    help=Text(
        "Begynder med pk_live_ for rigtige dokumenter og med pk_test_ for afprøvning. Den vises aldrig igen her.",
        "Begins with pk_live_ for real documents and with pk_test_ for testing. It is never shown here again.",
    ),
)

FETCH_RESPONSES = Field(
    "fetch_responses",
    Text("Hent købernes svar", "Fetch the buyers' answers"),
    FieldType.BOOLEAN,
    default=True,
    help=Text(
        "Svar på jeres fakturaer hentes hos eCourier og mærkes dér som afleveret. Slå det fra, hvis et andet system henter dem.",
        "Answers to your invoices are fetched from eCourier and marked there as delivered. Turn it off if another system fetches "
        "them.",
    ),
)

FIELDS = (_TOKEN, FETCH_RESPONSES, *address_fields(URLS), ANSWER_HOURS, CALLBACK_URL, CONNECTIONS)
