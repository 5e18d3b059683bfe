"""Declared fields of a Sproom gateway."""

from __future__ import annotations

from invoiceapp.domain.fields import Field, FieldType
from invoiceapp.domain.findings import Text
from invoiceapp.gateways.common_fields import CONNECTIONS
from invoiceapp.gateways.providers import ANSWER_HOURS, CALLBACK_URL, TOKEN, address_fields

URLS = {"live": "https://sproom.net/api", "test": "https://staging.sproom.net/api"}

WEBHOOK_KEY = Field(
    "webhook_key",
    Text("Sprooms nøgle til beskeder (webhooks)", "Sproom's key for messages (webhooks)"),
    FieldType.MULTILINE,
    help=Text(
        "Forbindelsestesten viser nøglen; indsæt den her. Med den kan vi se, at en besked om et dokument er fra Sproom. Uden den "
        "spørger vi Sproom, når der kommer en besked.",
        "The connection test shows the key; paste it here. By it we can tell that a message about a document is Sproom's. Without "
        "it we ask Sproom whenever a message comes.",
    ),
)

_SYSTEM, _BASE_URL = address_fields(URLS)

FIELDS = (_SYSTEM, TOKEN, WEBHOOK_KEY, _BASE_URL, ANSWER_HOURS, CALLBACK_URL, CONNECTIONS)
