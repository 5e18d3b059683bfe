"""What an answer of a provider's API means: exactly one of the contract's errors, with the provider's own reasons."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterator
from typing import Any

from invoiceapp.domain.findings import Text
from invoiceapp.gateways.base import Refused, Rejected, TransportError, Unavailable, Unknown
from invoiceapp.gateways.http.excerpt import excerpt
from invoiceapp.outbound.http import Answer

#: Names under which APIs write their reasons (RFC 9457 among them), in lower case.
_TELLING = frozenset(
    {"message", "error", "errors", "errormessage", "error_description", "title", "detail", "details", "text", "reason",
     "description", "schemavalidationerrors", "schematronvalidationerrors"}
)  # fmt: skip
_MOST_REASONS = 5


def members(content: bytes) -> dict[str, Any]:
    """The JSON object in ``content``; empty where there is none."""
    found = _json(content)
    return found if isinstance(found, dict) else {}


def listed(content: bytes) -> list[dict[str, Any]] | None:
    """The objects of the JSON list in ``content``; None where there is no list."""
    found = _json(content)
    return objects(found) if isinstance(found, list) else None


def objects(found: Any) -> list[dict[str, Any]]:
    """The objects in a list, without what else may stand there; empty where it is no list."""
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def _json(content: bytes) -> Any:
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        return None


def as_reference(value: Any) -> str | None:
    """A provider's id of a document, where it is one that can stand in an address and a table; else None."""
    text = str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""
    return text if re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,119}", text, re.ASCII) else None


def told(found: Any) -> str:
    """The texts in a JSON value that stand under names for reasons, however nested; empty where there are none."""
    return "; ".join(list(dict.fromkeys(_told(found, is_reason=False)))[:_MOST_REASONS])


def reasons(answer: Answer, secrets: Collection[str]) -> str:
    """The provider's own words for a no, at most 200 characters, without ``secrets``."""
    return excerpt(told(_json(answer.body)) or answer.text, secrets)


def _told(found: Any, *, is_reason: bool, depth: int = 0) -> Iterator[str]:
    """Texts under telling names, however they are nested (``{"errors": {"field": ["why"]}}``)."""
    if depth > 6:
        return
    if isinstance(found, str) and is_reason and found.strip():
        yield found.strip()
    elif isinstance(found, list):
        for one in found[:50]:
            yield from _told(one, is_reason=is_reason, depth=depth + 1)
    elif isinstance(found, dict):
        telling = {name: one for name, one in found.items() if name.lower() in _TELLING}
        # Beside a reason stand its place and its rule; where nothing tells, names are those of fields.
        for one in list((telling or found).values())[:50]:
            yield from _told(one, is_reason=is_reason or bool(telling), depth=depth + 1)


def refusal(answer: Answer, partner: Text, secrets: Collection[str], *, delivers: bool) -> TransportError:
    """The meaning of an answer that is no yes. ``delivers``: the request carried the document. ``partner``: with a capital,
    such as "The provider Sproom".
    """
    said = reasons(answer, secrets)
    meant = _BY_STATUS.get(answer.status) or _BY_CLASS.get(answer.status // 100, _unclear)
    if not delivers:
        # A question delivers nothing, whatever became of it.
        meant = _not_known if answer.status in (404, 410) else meant if meant in _OF_SETTINGS else _busy
    return meant(answer, partner, said)


def unclear(partner: Text, detail: str) -> Unknown:
    """The whole document left, and nothing told clearly whether the provider has it."""
    return Unknown(
        Text(
            f"{partner.da} svarede ikke tydeligt, efter at hele dokumentet var sendt. Det kan være modtaget. Se efter hos "
            "udbyderen, før I sender igen.",
            f"{partner.en} did not answer clearly after the whole document was sent. It may have been received. Look at the "
            "provider before you send again.",
        ),
        detail,
    )


def not_ours(partner: Text, detail: str) -> Unknown:
    """It says that it has the document already, and no earlier try of ours is known that may have brought it."""
    return Unknown(
        Text(
            f"{partner.da} siger, at den har fået dokumentet før, men vi ved ikke af, at det er sendt. Det kan være et andet med "
            "samme nummer. Se efter hos udbyderen, før I sender igen.",
            f"{partner.en} says that it got the document before, but we know of no sending. It may be another one with the same "
            "number. Look at the provider before you send again.",
        ),
        detail,
        needs_person=True,
    )


def reason_lost(partner: Text, detail: str) -> Unavailable:
    """A no, without what it is about: the answer did not arrive whole."""
    return Unavailable(
        Text(
            f"{partner.da} tog ikke imod dokumentet, men begrundelsen nåede ikke frem. Vi prøver igen af os selv.",
            f"{partner.en} did not take the document, but the reason did not arrive. We try again by ourselves.",
        ),
        detail,
    )


def not_understood(partner: Text, detail: str) -> Unavailable:
    """A yes to a question without what it should hold."""
    return Unavailable(
        Text(
            f"{partner.da} svarede noget, vi ikke forstår. Vi spørger igen af os selv.",
            f"{partner.en} answered something that we do not understand. We ask again by ourselves.",
        ),
        detail,
    )


def _detail(answer: Answer, said: str) -> str:
    return f"{answer.status} {said}".strip()


def _quote(said: str) -> Text:
    return Text(f": »{said}«", f": “{said}”") if said else Text("", "")


def _no_access(answer: Answer, partner: Text, said: str) -> TransportError:
    return Refused(
        Text(
            f"{partner.da} godkender ikke adgangsnøglen (kode {answer.status}), så intet er sendt. Bed udbyderen om en gyldig "
            "nøgle, og skriv den i gatewayens indstillinger.",
            f"{partner.en} does not accept the access key (code {answer.status}), so nothing was sent. Ask the provider for a "
            "valid key, and enter it in the settings of the gateway.",
        ),
        _detail(answer, said),
    )


def _closed_account(answer: Answer, partner: Text, said: str) -> TransportError:
    return Refused(
        Text(
            f"{partner.da} vil have betaling eller en anden aftale, før den sender (kode {answer.status}). Intet er sendt. Tal med "
            "udbyderen.",
            f"{partner.en} wants payment or another agreement before it sends (code {answer.status}). Nothing was sent. Talk to "
            "the provider.",
        ),
        _detail(answer, said),
    )


def _wrong_address(answer: Answer, partner: Text, said: str) -> TransportError:
    return Refused(
        Text(
            f"{partner.da} svarer ikke på den adresse (kode {answer.status}), så intet er sendt. Ret adressen på udbyderens API i "
            "gatewayens indstillinger.",
            f"{partner.en} does not answer at that address (code {answer.status}), so nothing was sent. Correct the address of the "
            "provider's API in the settings of the gateway.",
        ),
        _detail(answer, said),
    )


def _declined(answer: Answer, partner: Text, said: str) -> TransportError:
    quoted = _quote(said)
    return Rejected(
        Text(
            f"{partner.da} afviste dokumentet (kode {answer.status}){quoted.da}. Ret det, og send igen.",
            f"{partner.en} rejected the document (code {answer.status}){quoted.en}. Correct it, and send again.",
        ),
        _detail(answer, said),
    )


def _not_known(answer: Answer, partner: Text, said: str) -> TransportError:
    return Unavailable(
        Text(
            f"{partner.da} kender ikke det, vi spurgte om (kode {answer.status}). Vi spørger igen af os selv. Bliver det ved, så "
            "kontrollér adressen på udbyderens API i gatewayens indstillinger, eller spørg udbyderen.",
            f"{partner.en} does not know what we asked about (code {answer.status}). We ask again by ourselves. If it goes on, "
            "check the address of the provider's API in the settings of the gateway, or ask the provider.",
        ),
        _detail(answer, said),
    )


def _busy(answer: Answer, partner: Text, said: str) -> TransportError:
    return Unavailable(
        Text(
            f"{partner.da} kan ikke svare lige nu (kode {answer.status}). Vi prøver igen af os selv.",
            f"{partner.en} cannot answer now (code {answer.status}). We try again by ourselves.",
        ),
        _detail(answer, said),
        answer.retry_after,
    )


def _unclear(answer: Answer, partner: Text, said: str) -> TransportError:
    return unclear(partner, _detail(answer, said))


_Meant = Callable[[Answer, Text, str], TransportError]

#: By code (RFC 9110 15, RFC 6585), where the class below says too little.
_BY_STATUS: dict[int, _Meant] = {
    401: _no_access,
    402: _closed_account,
    403: _no_access,
    404: _wrong_address,
    405: _wrong_address,
    407: _no_access,
    410: _wrong_address,
    501: _wrong_address,
    408: _busy,
    409: _unclear,  # it may have the document already; whoever knows what a provider means by it says so
    423: _busy,
    425: _busy,
    429: _busy,
    503: _busy,
    507: _busy,
}
_BY_CLASS: dict[int, _Meant] = {2: _unclear, 3: _wrong_address, 4: _declined, 5: _unclear}
_OF_SETTINGS = (_no_access, _closed_account, _wrong_address)
