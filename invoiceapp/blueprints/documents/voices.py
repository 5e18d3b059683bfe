"""Who said what: the network's word that it has a document, and the buyer's word that it is right, are never the same words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask_babel import gettext as _

from invoiceapp.domain.delivery import DeliveryState
from invoiceapp.models import Event
from invoiceapp.services.export.queries import Story

S = DeliveryState
Title = tuple[str, str, str]
_NEEDS_ANSWER = frozenset({"under_query", "conditional"})


def speaker(by: str) -> str:
    """Who speaks."""
    words = {
        "provider": _("The provider"),
        "network": _("The network"),
        "receiver_system": _("The buyer's system"),
        "buyer": _("The buyer"),
    }
    return str(words.get(by, by))


def said_title(kind: str, data: Mapping[str, Any]) -> Title | None:
    """Words, colour and icon of an event that tells who speaks; None where it does not."""
    return _of_response(data) if "says" in data else _of_gateway(kind, data)


def _of_gateway(kind: str, data: Mapping[str, Any]) -> Title | None:
    titles = {
        ("accepted", "provider"): (_("Handed over to the provider"), "teal", "truck-delivery"),
        ("accepted", "network"): (_("Handed over to the network"), "teal", "truck-delivery"),
        ("delivered", "network"): (_("Received by the network"), "green", "check"),
        ("delivered", "receiver_system"): (_("Received by the buyer's system"), "green", "check"),
        ("acknowledged", "buyer"): (_("Acknowledged: accepted by the buyer"), "green", "checks"),
        ("rejected", "network"): (_("Rejected by the network"), "red", "circle-x"),
        ("rejected", "receiver_system"): (_("Rejected by the buyer's system"), "red", "circle-x"),
        ("rejected", "buyer"): (_("Rejected by the buyer"), "red", "circle-x"),
    }
    return titles.get((kind, str(data.get("by"))))


def _of_response(data: Mapping[str, Any]) -> Title:
    by, says = data.get("by"), str(data["says"])
    titles = {
        ("received", "network"): (_("Received by the network"), "green", "check"),
        ("received", "receiver_system"): (_("Received by the buyer's system"), "green", "check"),
        ("passed_on", "network"): (_("Passed on by the network"), "azure", "send"),
        ("not_delivered", "network"): (_("Rejected by the network"), "red", "circle-x"),
        ("not_delivered", "receiver_system"): (_("Rejected by the buyer's system"), "red", "circle-x"),
        ("wrong_profile", "receiver_system"): (_("Rejected by the buyer's system"), "red", "circle-x"),
        ("in_process", "buyer"): (_("Being processed by the buyer"), "azure", "clock"),
        ("under_query", "buyer"): (_("The buyer asks for an answer"), "orange", "help-circle"),
        ("conditional", "buyer"): (_("Accepted by the buyer on conditions"), "orange", "alert-triangle"),
        ("rejected", "buyer"): (_("Rejected by the buyer"), "red", "circle-x"),
        ("accepted", "buyer"): (_("Acknowledged: accepted by the buyer"), "green", "checks"),
        ("partly_paid", "buyer"): (_("Partly paid, the buyer says"), "green", "checks"),
        ("paid", "buyer"): (_("Paid, the buyer says"), "green", "checks"),
    }
    return titles.get((says, str(by)), (_("An answer that we do not know"), "orange", "help-circle"))


def _newest(story: Story) -> list[Event]:
    """Events of the newest delivery, newest first."""
    delivery = story.delivery
    return [event for event in reversed(story.events) if delivery is not None and event.delivery_id == delivery.id]


def by_network(story: Story) -> bool:
    """Whether it goes by a network of access points, so that buyers can answer."""
    return any(event.data.get("by") in ("provider", "network") for event in _newest(story))


def _voice(story: Story, state: DeliveryState) -> str | None:
    """Who said last that it is in this state; of what has arrived the buyer's system says more than the network."""
    for event in _newest(story):
        if event.kind == state.value or (state is S.DELIVERED and event.data.get("says") == "received"):
            return str(event.data.get("by"))
    return None


def standing_words(story: Story) -> str:
    """What the state means and does not mean; empty where its name says it all."""
    if story.delivery is None or story.row.status != story.delivery.state.value:
        return ""
    state = story.delivery.state
    words = {
        (S.ACCEPTED, "provider"): _("The provider has taken it and passes it on. Nobody has said yet that it arrived."),
        (S.ACCEPTED, "network"): _(
            "The network has accepted it and passes it on. Nobody has said yet that it arrived."
        ),
        (S.DELIVERED, "network"): _("The network says that it has arrived. That is not a yes from the buyer."),
        (S.DELIVERED, "receiver_system"): _("The buyer's system has received it. That is not a yes from the buyer."),
        (S.ACKNOWLEDGED, "buyer"): _("The buyer has accepted it."),
        (S.REJECTED, "network"): _("The network could not deliver it. The buyer does not have it."),
        (S.REJECTED, "receiver_system"): _("The buyer's system has rejected it. The buyer has not seen it."),
        (S.REJECTED, "buyer"): _("The buyer has it and says no."),
    }
    return str(words.get((state, str(_voice(story, state))), ""))


def waits_for_us(story: Story) -> Mapping[str, str] | None:
    """Why the buyer waits for an answer, ``{"da", "en"}``; None where the buyer does not, or has said something else since."""
    for event in _newest(story):
        says = event.data.get("says")
        if says in _NEEDS_ANSWER and event.kind == "said":
            return event.data
        if says is not None and event.data.get("by") == "buyer" and event.kind != "late_receipt":
            return None
    return None
