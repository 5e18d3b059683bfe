"""What a user fills in for Storecove."""

from __future__ import annotations

from invoiceapp.domain.fields import Field
from invoiceapp.domain.findings import Text
from invoiceapp.gateways.providers import ANSWER_HOURS, TOKEN, address_fields

URLS = {"live": "https://api.storecove.com/api/v2"}
_CALLBACK = Text("Beskeder fra Storecove", "Messages from Storecove")

FIELDS = (
    TOKEN,
    Field(
        "legal_entity",
        Text("Jeres nummer hos Storecove (legal entity)", "Your number at Storecove (legal entity)"),
        required=True,
        pattern=r"[0-9]{1,12}",
        help=Text(
            "Et tal. Storecove giver hver firmaenhed, der sender, sit eget.",
            "A number. Storecove gives each company that sends one of its own.",
        ),
    ),
    Field(
        "webhook_user",
        Text("Brugernavn (webhook)", "User name (webhook)"),
        pattern=r"[^:]{1,200}",
        help=Text(
            "Kun hvis beskederne er sat op med brugernavn og adgangskode (Basic) hos Storecove. Uden kolon.",
            "Only where the messages are set up with user name and password (Basic) at Storecove. Without colon.",
        ),
        group=_CALLBACK,
    ),
    Field(
        "webhook_secret",
        Text("Hemmelighed (webhook)", "Secret (webhook)"),
        secret=True,
        is_kept_here=True,
        help=Text(
            "Adgangskoden, eller uden brugernavn hele værdien af headeren Authorization. Tom: beskederne er kun et vink om at "
            "spørge Storecove.",
            "The password, or without a user name the whole value of the header Authorization. Empty: the messages are only a hint "
            "to ask Storecove.",
        ),
        group=_CALLBACK,
    ),
    ANSWER_HOURS,
    *address_fields(URLS),
)
