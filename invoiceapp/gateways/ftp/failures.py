"""What each failure of an FTP conversation means: one of the four errors of the contract.

Before ``RNTO`` leaves nothing was delivered, whatever broke: a ``.part`` file is not a delivery.
After it a missing answer proves nothing.
"""

from __future__ import annotations

import ftplib  # nosec B402 # what the receiver has; without encryption only where the user says so
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum

from invoiceapp.domain.findings import Text
from invoiceapp.gateways.base import Refused, Rejected, TransportError, Unavailable
from invoiceapp.gateways.failures import transport_error
from invoiceapp.outbound.errors import OutboundError, failure

PARTNER = Text("Modtagerens server", "The receiver's server")


class Stage(Enum):
    """What the server was asked when it said no."""

    GREETING = "greeting"
    ENCRYPTION = "encryption"
    LOGIN = "login"
    FOLDER = "folder"
    LOOK = "look"
    WRITE = "write"
    """may the file be written"""
    CONTENT = "content"
    """the server has seen the content of the file"""
    RENAME = "rename"


#: What servers say where encryption is missing or unlike what they want: RFC 4217 (533 to 536) and custom (521, 522).
_ENCRYPTION_CODES = {521, 522, 533, 534, 535, 536}
#: 430 is no code of RFC 959, but some servers use it for a wrong password.
_NOT_LOGGED_IN = {430, 530, 532}
_NO_ROOM = {452, 552}
_BAD_NAME = 553
#: 421: the server closes the connection, and may say so in place of any answer (RFC 959 5.4).
_LEAVING = 421


@contextmanager
def during(stage: Stage, folder: str = "") -> Iterator[None]:
    """Turns what is raised inside into a ``TransportError``; nothing is delivered at any of the stages."""
    try:
        yield
    except TransportError:
        raise
    except Exception as error:
        # ftplib raises ValueError and AttributeError too. Without the cause: its words may hold what we sent.
        raise meaning(error, stage, folder) from None


def meaning(error: Exception, stage: Stage, folder: str = "") -> TransportError:
    """Of an error while provably nothing is delivered."""
    if isinstance(error, ftplib.error_perm | ftplib.error_temp):
        return refusal(stage, str(error)[:500], folder)
    if isinstance(error, OSError | EOFError | OutboundError):
        return transport_error(failure(error), PARTNER)
    return Unavailable(
        Text(
            f"{PARTNER.da} svarer ikke, som en FTP-server skal. Intet er leveret; vi prøver igen af os selv. Bliver det ved, "
            "så kontrollér servernavn og port.",
            f"{PARTNER.en} does not answer as an FTP server should. Nothing was delivered; we try again by ourselves. If it goes "
            "on, check server name and port.",
        ),
        f"{stage.value}: {type(error).__name__}",
    )


def code_of(error: ftplib.Error) -> int:
    """The three digits of the server's reply; 0 where it has none."""
    digits = str(error)[:3]
    return int(digits) if digits.isdecimal() else 0


def refusal(stage: Stage, reply: str, folder: str = "") -> TransportError:
    """The meaning of a 4xx or 5xx before the final name."""
    code, detail = int(reply[:3]), f"{stage.value}: {reply}"
    if code in _ENCRYPTION_CODES or (stage is Stage.ENCRYPTION and code >= 500):
        # Servers without encryption answer AUTH with any 5xx, 530 too.
        return _encryption_refused(detail)
    if code in _NO_ROOM and stage in (Stage.WRITE, Stage.CONTENT):
        return _no_room(detail)
    if code in _NOT_LOGGED_IN or (stage is Stage.LOGIN and code >= 500):
        return _login_refused(detail)
    if code < 500 or stage is Stage.GREETING:
        return _later(detail)
    if stage is Stage.FOLDER:
        return _no_folder(folder, detail)
    if stage is Stage.CONTENT and code != _BAD_NAME:
        return _content_refused(code, detail)
    return not_permitted(folder, detail)


def is_no(error: Exception) -> bool:
    """Whether the server's answer to ``RNTO`` is a definite no."""
    return isinstance(error, ftplib.error_perm | ftplib.error_temp) and code_of(error) != _LEAVING


def incomplete(detail: str) -> Unavailable:
    """The server says that all went well, and yet has another file than the one that was sent."""
    return Unavailable(
        Text(
            "Serveren sagde ja til filen, men den ligger der ikke hel. Den er ikke leveret; vi prøver igen af os selv. "
            "Bliver det ved, så spørg modtageren.",
            "The server said yes to the file, but it does not lie there whole. It is not delivered; we try again by ourselves. "
            "If it goes on, ask the receiver.",
        ),
        detail,
    )


def unseen(folder: str) -> Refused:
    """The server lets us see no files, so that nobody could tell whether the final name is free."""
    return Refused(
        Text(
            f"Serveren lader os ikke se, hvad der ligger i mappen »{folder}«, så en anden fil kunne blive overskrevet. Intet er "
            "leveret. Bed modtageren om læseadgang, eller vælg »Erstat filen« i gatewayens indstillinger.",
            f"The server does not let us see what lies in the folder “{folder}”, so another file could be overwritten. Nothing "
            "was delivered. Ask the receiver for read access, or choose “Replace that file” in the settings of the gateway.",
        ),
        "neither SIZE, MLST nor NLST shows the uploaded file",
    )


def rename_refused(reply: str) -> TransportError:
    """The server answers no to a final name that no file has."""
    if int(reply[:3]) < 500:
        return _later(f"rename: {reply}")
    return Refused(
        Text(
            "Serveren modtog filen, men brugeren må ikke give den dens endelige navn. Den er ikke leveret. Bed modtageren om lov "
            "til at omdøbe filer, eller ret filnavnet i gatewayens indstillinger.",
            "The server took the file, but the user may not give it its final name. It is not delivered. Ask the receiver for "
            "permission to rename files, or change the file name in the settings of the gateway.",
        ),
        f"rename: {reply}",
    )


def not_permitted(folder: str, detail: str) -> Refused:
    """The server answers that we may not write there."""
    return Refused(
        Text(
            f"Brugeren må ikke skrive i mappen »{folder}«, eller serveren tager ikke imod filer med det navn. Bed modtageren om "
            "skriveadgang, eller ret mappe eller filnavn i gatewayens indstillinger.",
            f"The user may not write to the folder “{folder}”, or the server takes no files of that name. Ask the receiver for "
            "access, or correct folder or file name in the settings of the gateway.",
        ),
        detail,
    )


def _login_refused(detail: str) -> Refused:
    return Refused(
        Text(
            "Serveren afviste login. Ret brugernavn eller adgangskode, og test igen. Er de rigtige, så spørg modtageren, om "
            "serveren kræver en anden kryptering.",
            "The server refused the login. Correct user name or password, and test again. If they are right, ask the receiver "
            "whether the server wants another encryption.",
        ),
        detail,
    )


def _encryption_refused(detail: str) -> Refused:
    return Refused(
        Text(
            "Serveren vil ikke kryptere sådan, som gatewayen er sat op. Intet er leveret. Spørg modtageren, hvilken kryptering og "
            "port der skal bruges, og ret dem i gatewayens indstillinger.",
            "The server does not encrypt the way the gateway is set up. Nothing was delivered. Ask the receiver which encryption "
            "and port to use, and correct them in the settings of the gateway.",
        ),
        detail,
    )


def _no_folder(folder: str, detail: str) -> Refused:
    return Refused(
        Text(
            f"Mappen »{folder}« findes ikke på serveren, eller brugeren må ikke åbne den. Ret mappen, eller bed modtageren om at "
            "oprette den.",
            f"The folder “{folder}” does not exist on the server, or the user may not open it. Correct it, or ask the receiver to "
            "create it.",
        ),
        detail,
    )


def _no_room(detail: str) -> Unavailable:
    return Unavailable(
        Text(
            "Der er ikke plads til filen på modtagerens server. Intet er leveret; vi prøver igen af os selv. "
            "Bliver det ved, så bed modtageren om at rydde op.",
            "There is no room for the file on the receiver's server. Nothing was delivered; we try again by ourselves. "
            "If it goes on, ask the receiver to clear up.",
        ),
        detail,
    )


def _later(detail: str) -> Unavailable:
    return Unavailable(
        Text(
            "Modtagerens server kan ikke tage imod lige nu. Intet er leveret; vi prøver igen af os selv. "
            "Bliver det ved, så spørg modtageren.",
            "The receiver's server cannot take it just now. Nothing was delivered; we try again by ourselves. "
            "If it goes on, ask the receiver.",
        ),
        detail,
    )


def _content_refused(code: int, detail: str) -> Rejected:
    return Rejected(
        Text(
            f"Serveren afviste filen, da den havde set den (svar {code}). Den er ikke leveret. Spørg modtageren hvorfor, "
            "og send igen.",
            f"The server refused the file after it had seen it (reply {code}). It is not delivered. Ask the receiver why, "
            "and send again.",
        ),
        detail,
    )
