from __future__ import annotations

from support.answers import answer, contrl

from invoiceapp.domain.delivery import DeliveryState
from invoiceapp.models import Gateway, IncomingState, db
from invoiceapp.services.receipts import queries


def test_the_newest_come_first_with_what_they_say_and_their_documents(sent, arrive, gateway):
    delivery = sent("1001", DeliveryState.ACCEPTED)
    arrive(b"garbage", name="a.edi")
    arrive(answer(contrl(), contrl("99")), name="b.edi")
    newest, oldest = queries.newest(gateway.id)
    assert (newest.name, newest.state, oldest.name, oldest.state) == (
        "b.edi", IncomingState.WAITING, "a.edi", IncomingState.UNREADABLE,
    )  # fmt: skip
    ours, foreign = newest.lines
    assert (ours.document_id, ours.number) == (delivery.document_id, "1001")
    assert ours.text["en"] == "The receiver has the file."
    assert (foreign.document_id, foreign.number) == (None, "")
    assert oldest.lines[0].text["da"]


def test_only_this_gateways_and_so_many_at_most(arrive, gateway):
    other = Gateway(
        subscription_id=gateway.subscription_id, name="Anden", kind="fake", config={"host": "x"}, secrets={}
    )
    db.session.add(other)
    db.session.commit()
    for number in range(4):
        arrive(b"garbage %d" % number, name=str(number))
    arrive(b"garbage", name="other", at=other)
    assert [message.name for message in queries.newest(gateway.id, 3)] == ["3", "2", "1"]
