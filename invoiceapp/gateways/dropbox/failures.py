"""What each answer of Dropbox means: one of the four errors of the contract.

Its words are not repeated, only its tags: a plain text may quote our request.
"""

from __future__ import annotations

import json
import re
from typing import Any

from invoiceapp.domain.findings import Text
from invoiceapp.gateways.base import Refused, Rejected, TransportError, Unavailable, Unknown
from invoiceapp.gateways.failures import transport_error
from invoiceapp.outbound.errors import OutboundError
from invoiceapp.outbound.http import Answer

PARTNER = Text("Dropbox", "Dropbox")


def members(answer: Answer) -> dict[str, Any]:
    """The JSON object of an answer; empty where there is none."""
    try:
        found = json.loads(answer.text)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def tags(answer: Answer) -> tuple[str, ...]:
    """The tags of an error from the outside in: ``("path", "conflict", "file")``."""
    found: list[str] = []
    error = members(answer).get("error")
    while isinstance(error, dict) and len(found) < 5:
        tag = error.get(".tag")
        if isinstance(tag, str) and re.fullmatch(r"[a-z_]{1,60}", tag):
            found.append(tag)
        error = error.get(tag if isinstance(tag, str) and tag in error else "reason")
    return tuple(found)


def lost(error: OutboundError, *, delivers: bool) -> TransportError:
    """No whole answer came. ``delivers``: the request carried the document."""
    if not delivers:
        # Without ``sent``: what left was a question.
        return transport_error(OutboundError(error.reason, error.detail), PARTNER)
    found = transport_error(error, PARTNER)
    return unclear(str(error)) if isinstance(found, Unknown) else found


def unclear(detail: str) -> Unknown:
    """The whole file left, and it was not said whether it lies there."""
    return Unknown(
        Text(
            "Dropbox svarede ikke tydeligt, efter at hele filen var sendt. Den kan ligge der. Næste forsøg ser efter og sender "
            "kun, hvis den mangler.",
            "Dropbox did not answer clearly after the whole file was sent. It may lie there. The next try looks, and sends only "
            "if it is missing.",
        ),
        detail,
    )


def not_understood(call: str) -> Unavailable:
    """An answer of success without what it should hold, as from a proxy between us."""
    return Unavailable(_GARBLED, f"{call}: 200 without the expected members")


def refusal(answer: Answer, *, delivers: bool) -> TransportError:
    """What an answer means that is no success. ``delivers``: the request carried the document."""
    found = tags(answer)
    detail = f"HTTP {answer.status} {'/'.join(found)}".strip()
    if answer.status == 409:
        return _by_tag(found, detail)
    if answer.status == 429 or (answer.status == 503 and "retry-after" in answer.headers):
        return Unavailable(_BUSY, detail, answer.retry_after)
    if answer.status >= 500:
        return unclear(detail) if delivers else Unavailable(_BUSY, detail)
    if answer.status == 401:
        return Refused(_SCOPE if "missing_scope" in found else _RECONNECT, detail)
    if answer.status == 403:
        return Refused(_NO_ACCESS, detail)
    if answer.status == 404 or answer.status < 400:
        return Refused(_NOT_DROPBOX, detail)
    return Rejected(_SAYS_NO, detail)


def _by_tag(found: tuple[str, ...], detail: str) -> TransportError:
    for tag, (kind, text) in _MEANT.items():
        if tag in found:
            return kind(text, detail)
    return Rejected(_SAYS_NO, detail)


def not_a_folder(path: str) -> Refused:
    """A file lies where the folder should be."""
    return Refused(
        Text(
            f"»{path}« er en fil i jeres Dropbox, ikke en mappe. Flyt filen, eller ret mappen i gatewayens indstillinger.",
            f"“{path}” is a file in your Dropbox, not a folder. Move the file, or change the folder in the settings of the gateway.",
        ),
        f"{path} is a file",
    )


def not_connected() -> Refused:
    """Nobody has let us in yet."""
    return Refused(
        Text(
            "Gatewayen er ikke forbundet med Dropbox. Tryk på »Forbind« på gatewayens side, og giv adgang.",
            "The gateway is not connected with Dropbox. Press “Connect” on the page of the gateway, and allow access.",
        )
    )


_RECONNECT = Text(
    "Dropbox godkender ikke længere adgangen; den er trukket tilbage, eller kontoen er lukket. Intet er lagt. Forbind "
    "gatewayen med Dropbox igen.",
    "Dropbox does not accept the access any more; it was withdrawn, or the account is closed. Nothing was put there. Connect "
    "the gateway with Dropbox again.",
)
_SCOPE = Text(
    "Appen har ikke de rettigheder i Dropbox, der skal til. Slå account_info.read, files.metadata.read og files.content.write "
    "til på appens side, og forbind igen.",
    "The app lacks permissions in Dropbox. Turn on account_info.read, files.metadata.read and files.content.write on the page "
    "of the app, and connect again.",
)
_NO_ACCESS = Text(
    "Dropbox giver ikke denne konto lov til det. Intet er lagt. Spørg den, der styrer jeres Dropbox.",
    "Dropbox does not allow this account to do that. Nothing was put there. Ask whoever manages your Dropbox.",
)
_FULL = Text(
    "Der er ikke mere plads i jeres Dropbox. Intet er lagt. Skaf plads, og start gatewayen igen.",
    "There is no room left in your Dropbox. Nothing was put there. Make room, and start the gateway again.",
)
_NOT_WRITABLE = Text(
    "Kontoen må ikke skrive i mappen. Giv den skriveadgang i Dropbox, eller vælg en anden mappe i gatewayens indstillinger.",
    "The account may not write to the folder. Give it access in Dropbox, or choose another folder in the settings of the "
    "gateway.",
)
_BAD_PATH = Text(
    "Dropbox kan ikke bruge mappens eller filens navn. Ret mappen eller filnavnet i indstillingerne, og send igen.",
    "Dropbox cannot use the name of the folder or of the file. Change the folder or the file name in the settings, and send "
    "again.",
)
_FILE_ABOVE = Text(
    "En fil i jeres Dropbox ligger, hvor en af mapperne skulle være. Flyt filen, eller ret mappen i gatewayens indstillinger.",
    "A file in your Dropbox lies where one of the folders should be. Move the file, or change the folder in the settings of "
    "the gateway.",
)
_TOO_LARGE = Text(
    "Filen er for stor til at blive lagt i Dropbox på én gang.", "The file is too large to be put into Dropbox at once."
)
_HALF = Text(
    "Filen kom ikke helt frem til Dropbox og er ikke lagt; vi prøver igen af os selv.",
    "The file did not reach Dropbox whole and was not put there; we try again by ourselves.",
)
_BUSY = Text(
    "Dropbox har travlt. Intet er lagt; vi prøver igen af os selv.",
    "Dropbox is busy. Nothing was put there; we try again by ourselves.",
)
_GARBLED = Text(
    "Noget andet end Dropbox svarede, måske en proxy. Intet er lagt; vi prøver igen af os selv. Bliver det ved, så giv besked "
    "til den, der driver serveren.",
    "Something other than Dropbox answered, perhaps a proxy. Nothing was put there; we try again by ourselves. If it goes on, "
    "tell whoever runs the server.",
)
_NOT_DROPBOX = Text(
    "Adressen svarer, men ikke som Dropbox. Intet er lagt. Ret adresserne i gatewayens indstillinger.",
    "The address answers, but not as Dropbox does. Nothing was put there. Correct the addresses in the settings of the gateway.",
)
_SAYS_NO = Text(
    "Dropbox sagde nej til filen. Den er ikke lagt. Kør forbindelsestesten; siger den intet, så giv besked til den, der driver "
    "serveren.",
    "Dropbox said no to the file. It was not put there. Run the connection test; if it says nothing, tell whoever runs the "
    "server.",
)

#: By a tag of a 409, the first that fits.
_MEANT: dict[str, tuple[type[TransportError], Text]] = {
    "insufficient_space": (Refused, _FULL),
    "no_write_permission": (Refused, _NOT_WRITABLE),
    "team_folder": (Refused, _NOT_WRITABLE),
    "file_ancestor": (Refused, _FILE_ABOVE),
    "disallowed_name": (Rejected, _BAD_PATH),
    "malformed_path": (Rejected, _BAD_PATH),
    "payload_too_large": (Rejected, _TOO_LARGE),
    "content_hash_mismatch": (Unavailable, _HALF),
    "too_many_write_operations": (Unavailable, _BUSY),
}
