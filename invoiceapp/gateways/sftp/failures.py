"""What each failure of an SFTP conversation means: one of the four errors of the contract.

Before the rename is asked for, nothing was delivered, whatever broke: a
``.part`` file is not a delivery. After it was asked for, a missing answer
proves nothing.
"""

from __future__ import annotations

import paramiko

from invoiceapp.domain.findings import Text
from invoiceapp.gateways.base import Refused, TransportError, Unavailable
from invoiceapp.gateways.failures import transport_error
from invoiceapp.outbound.errors import OutboundError, Reason

PARTNER = Text("Modtagerens server", "The receiver's server")


def while_connecting(error: Exception) -> TransportError:
    """Name look-up, TCP, key exchange."""
    if isinstance(error, OutboundError):
        return transport_error(error, PARTNER)
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
    if "banner" in str(error) or "protocol" in str(error):
        return _no_sftp(_detail(error))
    return transport_error(OutboundError(Reason.UNREACHABLE, _detail(error)), PARTNER)


def _no_sftp(detail: str) -> Unavailable:
    return Unavailable(
        Text(
            f"{PARTNER.da} svarer ikke, som en SFTP-server skal. Intet er sendt; vi prøver igen af os selv. "
            "Bliver det ved, så kontrollér navn og port, eller spørg modtageren.",
            f"{PARTNER.en} does not answer as an SFTP server should. Nothing was sent; we try again by ourselves. "
            "If it goes on, check name and port, or ask the receiver.",
        ),
        detail,
    )


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
    """Everything that is not the document's rename: looking at the folder, writing the temporary files."""
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


def not_permitted(folder: str, detail: str) -> Refused:
    """The server answers that we may not write there."""
    return Refused(
        Text(
            f"Brugeren må ikke skrive i mappen »{folder}«. Bed modtageren om skriveadgang, eller vælg en anden mappe.",
            f"The user may not write to the folder “{folder}”. Ask the receiver for access, or choose another folder.",
        ),
        detail,
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
