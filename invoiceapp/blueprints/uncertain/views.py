"""One page that reads. What a person does there is the document's own action, asked and carried out on its page."""

from __future__ import annotations

from dataclasses import dataclass

from flask import Blueprint, render_template, request

from invoiceapp.blueprints.documents.choices import Choice, offered
from invoiceapp.blueprints.documents.evidence import label_of
from invoiceapp.blueprints.documents.views import title
from invoiceapp.blueprints.main.scope import is_all
from invoiceapp.blueprints.policy import policy
from invoiceapp.blueprints.tenancy import named_adaptor
from invoiceapp.services.export import unknown
from invoiceapp.services.export.unknown import Case
from invoiceapp.services.people.access import adaptors

blueprint = Blueprint("uncertain", __name__, url_prefix="/unknown-outcomes")

_SEND_AGAIN = "send-again"
#: Asking comes first, and what could make two of one last.
_ORDER = ("ask-again", "mark-received", "handle-outside", _SEND_AGAIN)


@dataclass(frozen=True, slots=True)
class Shown:
    """A case with what the reader may do about it."""

    case: Case
    choices: list[Choice]
    must_ask_first: bool
    """Sending again is allowed, and not offered before the partner was asked"""


@blueprint.get("")
@policy("subscription:view")
def index() -> str:
    """What nobody knows, the oldest first, of one adaptor or of all."""
    adaptor = None if is_all() else named_adaptor()
    shown = [adaptor] if adaptor else adaptors()
    ids, after = [one.id for one in shown], request.args.get("after", "")
    found = unknown.cases(ids, after, unknown.PAGE + 1)
    cases, has_more = found[: unknown.PAGE], len(found) > unknown.PAGE
    return render_template(
        "uncertain/page.html", adaptor=adaptor, cases=[_shown(case) for case in cases], count=unknown.count(ids),
        after=cases[-1].delivery.id if has_more else "", is_first=not after, title_of=title, label_of=label_of,
        names_adaptor=len(shown) > 1,
    )  # fmt: skip


def _shown(case: Case) -> Shown:
    """Of a document that has been sent anew since, nothing is to be done here."""
    may = {choice.name: choice for choice in offered(case.story, case.adaptor)} if case.is_newest else {}
    must_ask_first = _SEND_AGAIN in may and not case.may_send_again
    if must_ask_first:
        del may[_SEND_AGAIN]
    return Shown(case, [may[name] for name in _ORDER if name in may], must_ask_first)
