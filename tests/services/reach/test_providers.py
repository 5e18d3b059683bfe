from __future__ import annotations

import pytest

from invoiceapp.domain.findings import Text
from invoiceapp.gateways.base import Unavailable, registry
from invoiceapp.models import db
from invoiceapp.services.reach import checking

ADDRESS = "0184:12345674"


@pytest.fixture
def customer(here, out_there):
    out_there.register("12345674", "Bageriet Hjørnet", ADDRESS)
    return here.customer()


@pytest.fixture
def provider(monkeypatch):
    """``provider(says)``: what the provider into NemHandel answers, or raises."""
    asked = []

    def answer(says):
        def reaches(self, participant, network):
            assert not db.session().in_transaction(), "no transaction may be open while the provider is asked"
            asked.append((str(participant), network.value))
            if isinstance(says, Exception):
                raise says
            return says

        monkeypatch.setattr(registry()["fake-nemhandel"], "reaches", reaches)
        return asked

    return answer


def remarks(here, customer):
    return [remark["rule"] for remark in here.match(customer).remarks]


def test_a_provider_that_cannot_deliver_says_so_before_anything_is_sent(here, customer, provider):
    asked = provider(False)
    checking.again(customer.id)
    assert asked == [(ADDRESS, "nemhandel")] and remarks(here, customer) == ["IA-NETWORK-PROVIDER"]
    assert "»NemHandel«" in here.match(customer).remarks[0]["text"]["da"]


@pytest.mark.parametrize("says", [True, Unavailable(Text("Svarer ikke.", "No answer."))])
def test_a_yes_or_no_answer_at_all_adds_nothing(here, customer, provider, says):
    asked = provider(says)
    checking.again(customer.id)
    assert asked and remarks(here, customer) == []


def test_what_a_provider_said_is_forgotten_with_the_next_look_up(here, customer, provider):
    provider(False)
    checking.again(customer.id)
    provider(True)
    checking.again(customer.id)
    assert remarks(here, customer) == []


def test_an_access_point_of_our_own_is_not_asked(here, customer, provider, monkeypatch):
    asked = provider(False)
    monkeypatch.setattr(registry()["fake-nemhandel"], "wants_endpoint", True)
    checking.again(customer.id)
    assert asked == []
