"""What a use case refuses, in words for the page."""

from __future__ import annotations

from invoiceapp.domain.findings import Text


class ServiceError(Exception):
    """A refusal that the user can understand and act on."""

    def __init__(self, text: Text) -> None:
        super().__init__(text.en)
        self.text = text


class InvalidInput(ServiceError):
    """Form values that cannot be used; ``errors`` by field name."""

    def __init__(self, errors: dict[str, Text]) -> None:
        super().__init__(
            Text(
                "Ret de markerede felter: " + " ".join(text.da for text in errors.values()),
                "Correct the marked fields: " + " ".join(text.en for text in errors.values()),
            )
        )
        self.errors = errors


class Conflict(ServiceError):
    """Somebody or something else was first."""


def text_dict(text: Text, **extra: str) -> dict[str, str]:
    """The stored JSON form of a message."""
    return {"da": text.da, "en": text.en, **extra}
