"""The checklist that stands on the dashboard until the first export has left."""

from __future__ import annotations

from dataclasses import dataclass

from flask import url_for
from flask_babel import gettext as _

from invoiceapp.models import Adaptor
from invoiceapp.services.configuration import onboarding
from invoiceapp.services.configuration.onboarding import Step
from invoiceapp.services.people.access import may_configure

from .links import optional_url


@dataclass(frozen=True, slots=True)
class Line:
    """One step in words. ``is_next``: the first that is not done."""

    title: str
    text: str
    url: str | None
    action: str
    is_done: bool
    is_next: bool


def _words(step: Step) -> tuple[str, str, str, str]:
    """Title, explanation, endpoint and what its button says."""
    return {
        Step.CONNECT: (
            _("Connect Billy"),
            _("Paste an access token. Customers, tax rates and the documents of the last year are read; nothing is sent."),
            "source.index",
            _("Connect Billy"),
        ),
        Step.COMPANY: (
            _("Your own number as a sender"),
            _("Receivers know you by your CVR number. It comes from Billy, or you write it here."),
            "settings.index",
            _("See the sender"),
        ),
        Step.GATEWAY: (
            _("A gateway"),
            _("Where documents are delivered: a mailbox of a provider, a mail server. Test it before you use it."),
            "gateways.choose_kind" if may_configure() else "gateways.index",
            _("Make a gateway"),
        ),
        Step.VAT: (
            _("VAT categories"),
            _("Every tax rate of 0% needs a category, so that the receiver knows why there is no VAT."),
            "vat.index",
            _("Choose categories"),
        ),
        Step.CHECK: (
            _("Check without sending"),
            _("Your documents of the last 90 days are judged by the rules, and you see what is missing."),
            "readiness.index",
            _("See what is missing"),
        ),
        Step.CUSTOMERS: (
            _("Activate customers"),
            _("Only documents to activated customers are sent. Begin with one, or take all that are ready."),
            "rules.index",
            _("Choose customers"),
        ),
        Step.EXPORT: (
            _("The first export"),
            _("Send one document by hand and see that it arrives. Afterwards the schedule does it."),
            "export.index",
            _("Export by hand"),
        ),
    }[step]  # fmt: skip


def _parameters(step: Step, adaptor: Adaptor) -> dict[str, str]:
    """Gateways belong to no adaptor; the one that is made here becomes this one's default."""
    if step is Step.GATEWAY:
        return {"default_of": adaptor.id, "next": url_for("main.dashboard")} if may_configure() else {}
    return {"adaptor": adaptor.id}


def lines(adaptor: Adaptor) -> list[Line]:
    """The checklist; empty once a document has left."""
    found = onboarding.steps(adaptor)
    if found[Step.EXPORT]:
        return []
    following = next(step for step, is_done in found.items() if not is_done)
    made = []
    for step, is_done in found.items():
        title, text, endpoint, action = _words(step)
        url = optional_url(endpoint, **_parameters(step, adaptor))
        made.append(Line(title, text, url, action, is_done, step is following))
    return made
