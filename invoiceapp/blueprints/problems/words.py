"""A cause in few words, and what each step does."""

from __future__ import annotations

from flask_babel import gettext as _
from flask_babel import ngettext

from invoiceapp.domain.findings import Turn
from invoiceapp.formatting import number
from invoiceapp.languages import say
from invoiceapp.models import Problem
from invoiceapp.services.four_eyes import words as approval_words

#: Longer causes are cut in headings; the whole text stands below.
_LONGEST = 140


def cause(problem: Problem) -> str:
    """Its first sentence, with the customer where the cure is theirs alone."""
    first = say(problem.text).split(". ")[0].rstrip(".").strip()
    short = first if len(first) <= _LONGEST else f"{first[:_LONGEST].rsplit(' ', 1)[0]} …"
    name = problem.customer_name
    return f"{name}: {short}" if name and name.casefold() not in short.casefold() else short


def heading(problem: Problem) -> str:
    """``Kommune X: … : 20 dokumenter``."""
    if not problem.documents:
        return cause(problem)
    documents = ngettext(
        "%(shown)s document", "%(shown)s documents", problem.documents, shown=number(problem.documents)
    )
    return f"{cause(problem)}: {documents}"


def turn(problem: Problem) -> str:
    """Whose turn it is."""
    words = {
        Turn.SOURCE.value: _("Your turn, in Billy"),
        Turn.HERE.value: _("Your turn, here"),
        Turn.RECEIVER.value: _("The receiver's turn"),
        Turn.OPERATOR.value: _("The turn of whoever runs this installation"),
    }
    return str(words.get(problem.turn, ""))


def what_to_do(problem: Problem) -> str:
    """The first step, in a sentence."""
    if problem.rule == approval_words.RULE:
        return str(_("Another person than the one who asked for it approves it. Then all the documents are sent."))
    if problem.status == "rejected":
        return str(_("The receiver has turned them down. Find out why, and agree with them what they want instead."))
    if problem.status == "outcome_unknown":
        return str(_("Nobody knows whether they arrived. Have the receiver's system asked again, or ask the receiver."))
    words = {
        Turn.SOURCE.value: _(
            "Correct it in Billy. What is corrected there is read when the documents are built again."
        ),
        Turn.HERE.value: _("Correct it here, once. It then holds for all the documents."),
        Turn.RECEIVER.value: _("The receiver has to correct it. Contact them."),
        Turn.OPERATOR.value: _("The person who runs this installation has to act."),
    }
    return str(words.get(problem.turn, ""))


def release_label(name: str, count: int) -> str:
    """The button of the second step."""
    shown = number(count)
    if name == "rebuild":
        text = ngettext("Build and send %(shown)s again", "Build and send all %(shown)s again", count, shown=shown)
    elif name == "try-again":
        text = ngettext("Send %(shown)s again", "Send all %(shown)s again", count, shown=shown)
    else:
        text = ngettext("Ask about %(shown)s again", "Ask about all %(shown)s again", count, shown=shown)
    return str(text)
