"""Access-point providers: others whose access point sends for us. What their kinds have in common; no kind of its own."""

from .answers import as_reference, listed, members, objects, told
from .fields import ANSWER_HOURS, CALLBACK_URL, TOKEN, address_fields
from .states import (
    BUYER_REFUSES,
    BUYER_TAKES,
    INVALID,
    NOT_PASSED_ON,
    NOT_REACHABLE,
    ON_ITS_WAY,
    PASSED_ON,
    SYSTEM_REFUSES,
    SYSTEM_TAKES,
    By,
    Meaning,
)
from .transport import Notice, ProviderTransport

__all__ = [
    "ANSWER_HOURS",
    "BUYER_REFUSES",
    "BUYER_TAKES",
    "CALLBACK_URL",
    "INVALID",
    "NOT_PASSED_ON",
    "NOT_REACHABLE",
    "ON_ITS_WAY",
    "PASSED_ON",
    "SYSTEM_REFUSES",
    "SYSTEM_TAKES",
    "TOKEN",
    "By",
    "Meaning",
    "Notice",
    "ProviderTransport",
    "address_fields",
    "as_reference",
    "listed",
    "members",
    "objects",
    "told",
]
