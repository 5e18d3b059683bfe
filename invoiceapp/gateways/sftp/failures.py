"""What each failure of an SFTP conversation means: one of the four errors of the contract.

Three moments, three functions. Before the rename is asked for, nothing was
delivered, whatever broke: a ``.part`` file is not a delivery. After it was
asked for, a missing answer proves nothing.
"""

from __future__ import annotations

import paramiko

from invoiceapp.domain.findings import Text
from invoiceapp.gateways.base import Refused, Rejected, TransportError, Unavailable, Unknown

_UNREACHABLE = Text(
    "Modtagerens server svarer ikke. Intet er sendt; vi prøver igen af os selv. "
    "Bliver det ved, så kontrollér servernavn og port, eller spørg modtageren.",
    "The receiver's server does not answer. Nothing was sent; we try again by ourselves. "
    "If it goes on, check server name and port, or ask the receiver.",
)


def while_connecting(error: Exception) -> TransportError:
    """Name look-up, TCP, key exchange."""
    if isinstance(error, paramiko.ssh_exception.IncompatiblePeer):
        # No silent downgrade to what paramiko or we have switched off.
        return Refused(
            Text(
                "Serveren tilbyder kun forældet kryptering eller ikke den bekræftede nøgletype. Intet er sendt. "
                "Bed modtageren om at opdatere serveren, eller bekræft fingeraftrykket på ny.",
                "The server only offers outdated encryption, or not the confirmed type of key. Nothing was sent. "
                "Ask the receiver to update the server, or confirm the fingerprint anew.",
            ),
            _detail(error),
        )
    return Unavailable(_UNREACHABLE, _detail(error))


def while_logging_in(error: Exception, *, connected: bool) -> TransportError:
    """User name, password and key. ``connected``: the connection outlived the failure."""
    # Paramiko uses AuthenticationException for a silent or vanished server too.
    says_no = isinstance(error, paramiko.AuthenticationException) and connected and "timeout" not in str(error)
    if not says_no:
        return while_connecting(error)
    return Refused(
        Text(
            # Also the words of a connection test, which pauses nothing: whoever pauses says so (the pages' banners).
            "Serveren afviste brugernavn, adgangskode eller nøgle. Ret dem, og test igen.",
            "The server refused the user name, password or key. Correct them, and test again.",
        ),
        _detail(error),
    )


def while_writing(error: Exception, folder: str) -> TransportError:
    """Looking at the folder and writing the temporary file."""
    if isinstance(error, FileNotFoundError):
        return Refused(
            Text(
                f"Mappen »{folder}« findes ikke på serveren. Ret mappen, eller bed modtageren om at oprette den.",
                f"The folder “{folder}” does not exist on the server. Correct it, or ask the receiver to create it.",
            ),
            _detail(error),
        )
    if isinstance(error, PermissionError):
        return not_permitted(folder, _detail(error))
    return Unavailable(
        Text(
            "Filen kunne ikke lægges på modtagerens server; forbindelsen brød, eller der er ikke plads. "
            "Intet er leveret; vi prøver igen af os selv.",
            "The file could not be put on the receiver's server; the connection broke or there is no room. "
            "Nothing was delivered; we try again by ourselves.",
        ),
        _detail(error),
    )


def while_renaming(error: Exception) -> TransportError:
    """The file is complete, its final name was asked for and no answer came."""
    return Unknown(
        Text(
            "Forbindelsen brød, lige da filen fik sit endelige navn. Den kan være leveret. "
            "Spørg modtageren, før du sender igen.",
            "The connection broke just as the file got its final name. It may have been delivered. "
            "Ask the receiver before you send again.",
        ),
        _detail(error),
    )


def not_permitted(folder: str, detail: str) -> Refused:
    """The server answers that we may not write there."""
    return Refused(
        Text(
            f"Brugeren må ikke skrive i mappen »{folder}«. Bed modtageren om skriveadgang, eller vælg en anden mappe.",
            f"The user may not write to the folder “{folder}”. Ask the receiver for access, or choose another folder.",
        ),
        detail,
    )


def name_taken(path: str) -> Rejected:
    """Another file has the document's name, and the settings say not to replace it."""
    return Rejected(
        Text(
            f"På serveren ligger allerede en anden fil med navnet »{path}«. Den er ikke rørt. "
            "Bed modtageren om at flytte den, eller ret filnavnet i gatewayens indstillinger, og send igen.",
            f"Another file named “{path}” already lies on the server. It was not touched. "
            "Ask the receiver to move it, or change the file name in the settings of the gateway, and send again.",
        ),
        f"{path} exists with other content",
    )


def rename_refused(path: str) -> Unavailable:
    """The server answers no to the final name, and no file has it."""
    return Unavailable(
        Text(
            "Serveren modtog filen, men ville ikke give den dens endelige navn. Den er ikke leveret; "
            "vi prøver igen af os selv.",
            "The server took the file but would not give it its final name. It is not delivered; "
            "we try again by ourselves.",
        ),
        f"rename to {path} refused",
    )


def _detail(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
