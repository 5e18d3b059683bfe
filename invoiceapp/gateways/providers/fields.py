"""Declared fields that the kinds of providers have in common."""

from __future__ import annotations

from collections.abc import Mapping

from invoiceapp.domain.fields import Field, FieldType
from invoiceapp.domain.findings import Text
from invoiceapp.gateways.common_fields import RARELY

_SYSTEMS = {
    "live": Text("Rigtige dokumenter", "Real documents"),
    "test": Text("Afprøvning", "Testing"),
}

TOKEN = Field(
    "token",
    Text("Adgangsnøgle (token)", "Access key (token)"),
    required=True,
    secret=True,
    help=Text(
        "Den nøgle, udbyderen har givet jer til sit API. Den vises aldrig igen her.",
        "The key that the provider has given you for its API. It is never shown here again.",
    ),
)

ANSWER_HOURS = Field(
    "answer_hours",
    Text("Timer til det endelige svar", "Hours until the final answer"),
    FieldType.INTEGER,
    default=48,
    smallest=1,
    largest=720,
    help=Text(
        "Så længe spørger vi udbyderen, hvad der blev af et dokument. Derefter må et menneske se på det.",
        "For so long we ask the provider what became of a document. After that a person must look at it.",
    ),
    group=RARELY,
)

CALLBACK_URL = Field(
    "callback_url",
    Text("Vores adresse til udbyderens beskeder (webhooks)", "Our address for the provider's messages (webhooks)"),
    FieldType.URL,
    help=Text(
        "Tom: den, der står på gatewayens side. Udfyld den kun, hvis udbyderen når os ad en anden vej.",
        "Empty: the one on the page of the gateway. Fill it in only if the provider reaches us by another way.",
    ),
    group=RARELY,
)


def address_fields(urls: Mapping[str, str]) -> tuple[Field, ...]:
    """Where the provider's API is. ``urls``: base addresses by system, ``live`` and perhaps ``test``; none where
    everybody has an own one. Read by ``ProviderTransport.base_url``.
    """
    choice = Field(
        "system",
        Text("Bruges til", "Used for"),
        FieldType.CHOICE,
        required=True,
        choices=tuple((name, _SYSTEMS[name]) for name in urls),
        default="live",
        help=Text(
            "Udbyderen har et system til afprøvning med sine egne nøgler; derfra når intet ud til kunderne.",
            "The provider has a system for testing with keys of its own; from there nothing reaches the customers.",
        ),
        is_address=True,
    )
    own = Field(
        "base_url",
        Text("Adresse på udbyderens API", "Address of the provider's API"),
        FieldType.URL,
        required=not urls,
        help=Text("Tom: udbyderens egen.", "Empty: the provider's own.") if urls else None,
        is_address=True,
        group=RARELY if urls else None,
    )
    return (*((choice,) if len(urls) > 1 else ()), own)
