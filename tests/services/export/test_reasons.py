from __future__ import annotations

import pytest

from invoiceapp.domain.findings import Text
from invoiceapp.services.errors import ServiceError
from invoiceapp.services.export import archive, reasons
from invoiceapp.sources.base import CredentialsRefused, SourceChanged, SourceUnavailable

WORDS = Text("Ord.", "Words.")


@pytest.mark.parametrize(
    ("error", "turn"),
    [
        (SourceUnavailable(WORDS), "source"),
        (SourceChanged(WORDS), "operator"),
        (CredentialsRefused(WORDS), "here"),
        (archive.ArchiveUnavailable(WORDS), "operator"),
        (ServiceError(WORDS), "here"),
    ],
)
def test_whose_turn_it_is_follows_from_what_was_waited_for(error, turn):
    assert reasons.given_up(error).turn == turn
