"""How a transport says that something did not go well: exactly four errors of sending, and one of reading."""

from __future__ import annotations

from invoiceapp.domain.findings import Text


class TransportError(Exception):
    """Why nothing (provable) arrived; ``text`` tells the user, ``detail`` the log. Never holds a secret."""

    def __init__(self, text: Text, detail: str = "") -> None:
        super().__init__(detail or text.en)
        self.text = text
        self.detail = detail


class Refused(TransportError):
    """Our credentials or settings are wrong. Pauses the gateway, so that one wrong password locks no account."""


class Rejected(TransportError):
    """The partner looked at it and says no. Final."""


class Unavailable(TransportError):
    """Provably not delivered: try again. ``retry_after`` in seconds where the partner said so.

    ``is_remembered``: the partner did not take it, but may know its ids from now on, and call the next try a repetition.
    """

    def __init__(
        self, text: Text, detail: str = "", retry_after: float | None = None, *, is_remembered: bool = False
    ) -> None:
        super().__init__(text, detail)
        self.retry_after = retry_after
        self.is_remembered = is_remembered


class Unknown(TransportError):
    """The bytes left and no answer came, or one that proves nothing.

    ``needs_person``: neither a repetition nor a question can make it clearer, whatever ``replay`` allows.
    """

    def __init__(self, text: Text, detail: str = "", *, needs_person: bool = False) -> None:
        super().__init__(text, detail)
        self.needs_person = needs_person


class Unreadable(Exception):
    """Something that came in is no receipt, or not the partner's: nothing follows from it. ``detail`` for the log."""

    def __init__(self, text: Text, detail: str = "") -> None:
        super().__init__(detail or text.en)
        self.text = text
        self.detail = detail
