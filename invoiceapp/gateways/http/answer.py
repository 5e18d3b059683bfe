"""What an answer means for the document: evidence, or exactly one of the contract's errors."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Mapping
from typing import Any
from urllib.parse import urlsplit

from invoiceapp.domain.findings import Text
from invoiceapp.gateways.base import Refused, Rejected, TransportError, Unavailable, Unknown
from invoiceapp.outbound.http import Answer

from .excerpt import excerpt
from .settings import pointer, success_codes

#: Headers by which the partner's own log can be searched.
KEPT_HEADERS = ("date", "server", "location", "request-id", "x-request-id", "x-correlation-id")

_Meaning = Callable[[Answer, str], TransportError]


def judge(answer: Answer, config: Mapping[str, Any], secrets: Collection[str]) -> TransportError | None:
    """None where the partner has taken the document as agreed. ``secrets`` appear in no text."""
    said = excerpt(answer.text, secrets)
    if answer.status in success_codes(config.get("success") or "200-299"):
        return None if _holds(answer, config) else _other_answer(answer, said)
    return refusal(answer, said)


def refusal(answer: Answer, said: str = "") -> TransportError:
    """The meaning of an answer that is no yes. ``said``: an excerpt of it."""
    meaning = _certificate_missing if _wants_certificate(answer) else _BY_STATUS.get(answer.status)
    return (meaning or _BY_CLASS.get(answer.status // 100, _unclear))(answer, said)


def reference_of(answer: Answer, config: Mapping[str, Any]) -> str | None:
    """The partner's own name for the document, where the answer gives it."""
    named = config.get("reference_pointer")
    found = value_at(answer.body, pointer(named)) if named else None
    return found or answer.headers.get("location") or None


def value_at(body: bytes, steps: tuple[str, ...]) -> str | None:
    """The text, number or truth value at a JSON pointer (RFC 6901 4), as JSON writes it; None where there is none."""
    try:
        value = json.loads(body, parse_int=str, parse_float=str)
        for step in steps:
            value = value[_index(step)] if isinstance(value, list) else value[step]
    except (ValueError, LookupError, TypeError, RecursionError):
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else None


def _index(step: str) -> int:
    if not re.fullmatch(r"0|[1-9][0-9]{0,8}", step, re.ASCII):
        raise LookupError(step)
    return int(step)


def _holds(answer: Answer, config: Mapping[str, Any]) -> bool:
    """Whether the answer says what was agreed."""
    check = config.get("answer_check")
    if check == "text":
        return str(config["answer_text"]) in answer.text
    if check == "json":
        return value_at(answer.body, pointer(config["answer_pointer"])) == str(config["answer_value"])
    return True


def _quote(said: str) -> Text:
    """: “words” – or nothing where the answer was empty."""
    return Text(f": »{said}«", f": “{said}”") if said else Text("", "")


def _detail(answer: Answer, said: str) -> str:
    return f"{answer.status} {said}".strip()


def _no_access(answer: Answer, said: str) -> TransportError:
    return Refused(
        Text(
            f"Modtagerens server giver ikke adgang (kode {answer.status}). Intet er leveret. Ret adgangen i gatewayens "
            "indstillinger, og test igen.",
            f"The receiver's server gives no access (code {answer.status}). Nothing was delivered. Correct the access in the "
            "settings of the gateway, and test again.",
        ),
        _detail(answer, said),
    )


def _wrong_address(answer: Answer, said: str) -> TransportError:
    return Refused(
        Text(
            f"Modtagerens server tager ikke imod på den adresse og med den metode (kode {answer.status}). Intet er leveret. "
            "Kontrollér adresse og metode i gatewayens indstillinger, eller spørg modtageren.",
            f"The receiver's server takes nothing at that address and by that method (code {answer.status}). Nothing was "
            "delivered. Check address and method in the settings of the gateway, or ask the receiver.",
        ),
        _detail(answer, said),
    )


def _certificate_missing(answer: Answer, said: str) -> TransportError:
    return Refused(
        Text(
            "Modtagerens server vil have et certifikat af os eller godkender ikke det, vi viste. Intet er leveret. Ret "
            "certifikatet i gatewayens indstillinger, eller send modtageren det rigtige.",
            "The receiver's server wants a certificate of ours, or does not accept the one that we showed. Nothing was "
            "delivered. Correct the certificate in the settings of the gateway, or give the receiver the right one.",
        ),
        _detail(answer, said),
    )


def _moved(answer: Answer, said: str) -> TransportError:
    host = _host_of(answer.headers.get("location", ""))
    to = Text(f" til {host}", f" to {host}") if host else Text("", "")
    return Refused(
        Text(
            f"Adressen er flyttet{to.da} (kode {answer.status}). Dokumentet er ikke sendt videre dertil. Spørg modtageren, om "
            "det er rigtigt, og ret så adressen i gatewayens indstillinger.",
            f"The address has moved{to.en} (code {answer.status}). The document was not passed on to there. Ask the receiver "
            "whether that is right, and then correct the address in the settings of the gateway.",
        ),
        _detail(answer, said),
    )


def _host_of(location: str) -> str | None:
    try:
        host = urlsplit(location).hostname or ""
    except ValueError:
        return None
    return host if re.fullmatch(r"[A-Za-z0-9.-]{1,253}", host) else None


def _declined(answer: Answer, said: str) -> TransportError:
    quoted = _quote(said)
    return Rejected(
        Text(
            f"Modtagerens server afviste dokumentet (kode {answer.status}){quoted.da}. Spørg modtageren, hvad der skal rettes, og "
            "send igen.",
            f"The receiver's server rejected the document (code {answer.status}){quoted.en}. Ask the receiver what is to be "
            "corrected, and send again.",
        ),
        _detail(answer, said),
    )


def _busy(answer: Answer, said: str) -> TransportError:
    return Unavailable(
        Text(
            f"Modtagerens server kan ikke tage imod lige nu (kode {answer.status}). Vi prøver igen af os selv.",
            f"The receiver's server cannot take it now (code {answer.status}). We try again by ourselves.",
        ),
        _detail(answer, said),
        answer.retry_after,
    )


def _unclear(answer: Answer, said: str) -> TransportError:
    quoted = _quote(said)
    return Unknown(
        Text(
            f"Modtagerens server svarede med en fejl (kode {answer.status}){quoted.da}, efter at den havde hele dokumentet. Det kan "
            "være modtaget. Spørg modtageren, før du sender igen.",
            f"The receiver's server answered with an error (code {answer.status}){quoted.en} after it had the whole document. It "
            "may have been received. Ask the receiver before you send again.",
        ),
        _detail(answer, said),
    )


def _other_answer(answer: Answer, said: str) -> TransportError:
    quoted = _quote(said)
    return Unknown(
        Text(
            f"Modtagerens server svarede (kode {answer.status}), men ikke som aftalt{quoted.da}. Dokumentet kan være modtaget. "
            "Spørg modtageren, før du sender igen, eller ret kontrollen af svaret i gatewayens indstillinger.",
            f"The receiver's server answered (code {answer.status}), but not as agreed{quoted.en}. The document may have been "
            "received. Ask the receiver before you send again, or correct the check of the answer in the settings of the gateway.",
        ),
        _detail(answer, said),
    )


#: By code (RFC 9110 15, RFC 6585), where the class below says too little. The question is always whether the partner can
#: have the document.
_BY_STATUS: dict[int, _Meaning] = {
    401: _no_access,
    402: _no_access,  # the account with the partner is closed
    403: _no_access,
    407: _no_access,
    404: _wrong_address,
    405: _wrong_address,
    410: _wrong_address,
    501: _wrong_address,  # it does not know the method
    408: _busy,  # it has not read the whole request, and says so
    409: _busy,  # with Idempotency-Key: an earlier try is still being worked on (draft-ietf-httpapi-idempotency-key-header 2.6)
    423: _busy,
    425: _busy,  # it has not looked at the request (RFC 8470)
    429: _busy,
    503: _busy,  # it refuses work; a server that took the document and failed says 500
    507: _busy,  # no room to keep it (RFC 4918)
    # 500, 502 and 504 are left to their class: a program failed behind a server that had passed the document on to it.
}
_BY_CLASS: dict[int, _Meaning] = {
    2: _other_answer,
    3: _moved,
    4: _declined,
    5: _unclear,
}


def _wants_certificate(answer: Answer) -> bool:
    """nginx lets the TLS handshake pass and then says 400, which would else look like a no to the document."""
    return answer.status == 400 and bool(re.search(r"SSL certificate (was sent|error)", answer.text))
