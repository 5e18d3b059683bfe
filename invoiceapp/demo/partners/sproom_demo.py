"""Sproom with the demo company's account: it sends to the receivers of the demo's networks and tells us by webhooks."""

from __future__ import annotations

import contextlib
import http.client
import logging
import threading
from functools import cached_property
from pathlib import Path
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

from invoiceapp.formats.base import Unreadable

from .json_api import ApiAnswer, Call
from .provider_account import State
from .sent_invoice import read_invoice
from .sproom_api import SproomApi
from .timed_account import TimedAccount

log = logging.getLogger(__name__)

#: Seconds between two looks at what has changed, and that a receiver of webhooks may take.
_PAUSE = 1.0
_TIMEOUT = 5.0
#: Requests that are remembered.
_REMEMBERED = 100


class DemoSproom(SproomApi):
    """Posts every change of a document to whoever has registered for it."""

    def __init__(self, account: TimedAccount, folder: Path, port: int = 0) -> None:
        """``folder`` keeps the key that webhooks are signed with. Raises ``OSError`` where the port is taken."""
        self._folder, self._timed = folder, account
        self._stopping = threading.Event()
        super().__init__(port=port)
        self.account = account
        self._teller = threading.Thread(target=self._tell, name="sproom-webhooks", daemon=True)
        self._teller.start()

    @cached_property
    def key(self) -> rsa.RSAPrivateKey:
        """The same after a restart, because a gateway has its public part."""
        path = self._folder / "webhooks.pem"
        if path.exists():
            known = load_pem_private_key(path.read_bytes(), None)
            assert isinstance(known, rsa.RSAPrivateKey)
            return known
        made = rsa.generate_private_key(65537, 2048)
        path.touch(0o600)
        path.write_bytes(made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        return made

    def problems(self, content: bytes) -> list[str]:
        """Also of what nobody can read."""
        try:
            read_invoice(content)
        except Unreadable as error:
            return [*self.invalid, error.text.en]
        return self.invalid

    def answer(self, call: Call) -> ApiAnswer:
        """Every call needs the token."""
        del self.calls[:-_REMEMBERED]
        return super().answer(call)

    def close(self) -> None:
        """Stop listening and telling."""
        self._stopping.set()
        self._teller.join()
        super().close()

    def _tell(self) -> None:
        while not self._stopping.wait(_PAUSE):
            for document_id, state in self._timed.news():
                self._post(document_id, state)

    def _post(self, document_id: str, state: State) -> None:
        for webhook in list(self.webhooks):
            content, headers = self.webhook(document_id, state.word, state.message)
            parts = urlsplit(webhook["url"])
            client = http.client.HTTPConnection(parts.hostname or "", parts.port or 80, timeout=_TIMEOUT)
            try:
                with contextlib.closing(client):
                    client.request("POST", parts.path, content, headers)
                    client.getresponse().read()
            except (OSError, http.client.HTTPException) as error:
                # It asks by itself, too.
                log.warning("a webhook was not taken: %s", type(error).__name__)
