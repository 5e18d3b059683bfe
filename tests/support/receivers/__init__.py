"""One receiving server a kind of transport, in this process, that says what took effect there and with which id.

``on_effect`` is called when a document has taken effect and before its sender is told so: the moment at which a lost
answer hurts. Whoever adds a kind of transport adds a receiver here; the contract test asks for it.
"""

from .as4 import NemHandelReceiver, PeppolReceiver
from .base import Receiver
from .files import FtpReceiver, SftpReceiver, VansReceiver
from .mail import EmailReceiver
from .more_providers import AccessPointReceiver, RecommandReceiver, StorecoveReceiver
from .providers import ECourierReceiver, SproomReceiver
from .web import As2Receiver, DropboxReceiver, HttpReceiver

RECEIVERS: dict[str, type[Receiver]] = {
    one.kind: one
    for one in (
        SftpReceiver, FtpReceiver, DropboxReceiver, HttpReceiver, As2Receiver, EmailReceiver, VansReceiver, SproomReceiver,
        ECourierReceiver, StorecoveReceiver, RecommandReceiver, AccessPointReceiver, PeppolReceiver,
        NemHandelReceiver,
    )
}  # fmt: skip

__all__ = [
    "RECEIVERS",
    "AccessPointReceiver",
    "As2Receiver",
    "DropboxReceiver",
    "ECourierReceiver",
    "EmailReceiver",
    "FtpReceiver",
    "HttpReceiver",
    "NemHandelReceiver",
    "PeppolReceiver",
    "Receiver",
    "RecommandReceiver",
    "SftpReceiver",
    "SproomReceiver",
    "StorecoveReceiver",
    "VansReceiver",
]
