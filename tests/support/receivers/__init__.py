"""One receiving server a kind of transport, in this process, that says what took effect there and with which id.

``on_effect`` is called when a document has taken effect and before its sender is told so: the moment at which a lost
answer hurts. Whoever adds a kind of transport adds a receiver here; the contract test asks for it.
"""

from .base import Receiver
from .files import FtpReceiver, SftpReceiver, VansReceiver
from .mail import EmailReceiver
from .web import As2Receiver, DropboxReceiver, HttpReceiver

RECEIVERS: dict[str, type[Receiver]] = {
    one.kind: one
    for one in (SftpReceiver, FtpReceiver, DropboxReceiver, HttpReceiver, As2Receiver, EmailReceiver, VansReceiver)
}

__all__ = [
    "RECEIVERS",
    "As2Receiver",
    "DropboxReceiver",
    "EmailReceiver",
    "FtpReceiver",
    "HttpReceiver",
    "Receiver",
    "SftpReceiver",
    "VansReceiver",
]
