from __future__ import annotations

import pytest

from invoiceapp.domain.findings import Text
from invoiceapp.services.errors import ServiceError
from invoiceapp.services.export import archive, reasons
from invoiceapp.sources.base import Channel, CredentialsRefused, SentItself, SourceChanged, SourceUnavailable

WORDS = Text("Ord.", "Words.")


def test_what_billy_said_of_its_own_sending_is_told_in_plain_words():
    sent = SentItself(
        Channel.EMAIL, None, "sentState: viewed", Text("kunden har åbnet det", "the customer has opened it")
    )
    told = reasons.how_sent(Text("Billy", "Billy"), sent)
    assert told.da == "Billy har selv sendt dokumentet på e-mail; kunden har åbnet det"
    assert "sentState" not in told.da + told.en + reasons.already_sent(WORDS, sent).text.da


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
