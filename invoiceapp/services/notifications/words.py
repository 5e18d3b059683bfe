"""What notices and mails say."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from sqlalchemy import select

from invoiceapp.domain.findings import Text, Turn
from invoiceapp.domain.invoice import DocumentType
from invoiceapp.models import Document, Problem, ProblemDocument, Run, db
from invoiceapp.services.four_eyes import words as approval_words

DOCUMENT, ADAPTOR = "document", "adaptor"
EMPTY = Text("", "")
#: Of documents, by problem (``types_of``).
Types = Mapping[str, frozenset[DocumentType]]
_CHUNK = 500
_INVOICES = (Text("faktura", "invoice"), Text("fakturaer", "invoices"))
_CREDIT_NOTES = (Text("kreditnota", "credit note"), Text("kreditnotaer", "credit notes"))
_DOCUMENTS = (Text("dokument", "document"), Text("dokumenter", "documents"))
_TURNS = {
    Turn.SOURCE: Text("Din tur: ret det i regnskabssystemet.", "Your turn: correct it in the accounting system."),
    Turn.HERE: Text("Din tur: ret det her i programmet.", "Your turn: correct it here in the program."),
    Turn.RECEIVER: Text(
        "Modtagerens tur: spørg dem, hvad der er galt.", "The receiver's turn: ask them what is wrong."
    ),
    Turn.OPERATOR: Text("Den, der driver serveren, skal se på det.", "Whoever runs the server must look at it."),
}

_TO_APPROVE = Text("Godkend eller afvis under Godkendelser.", "Approve or refuse under Approvals.")


def _noun(kinds: tuple[Text, Text], number: int) -> Text:
    return kinds[0] if number == 1 else kinds[1]


def counted(kinds: tuple[Text, Text], number: int) -> Text:
    """``3 fakturaer``."""
    noun = _noun(kinds, number)
    return Text(f"{_figure(number, '.')} {noun.da}", f"{_figure(number, ',')} {noun.en}")


def _figure(number: int, mark: str) -> str:
    return f"{number:,}".replace(",", mark)


def text_of(stored: Mapping[str, str]) -> Text:
    """A stored message."""
    return Text(stored.get("da", ""), stored.get("en", ""))


def types_of(problem_ids: Sequence[str]) -> Types:
    """What the documents of problems are; none for a problem without any."""
    found: dict[str, frozenset[DocumentType]] = {}
    for start in range(0, len(problem_ids), _CHUNK):
        rows = db.session.execute(
            select(ProblemDocument.problem_id, Document.type)
            .join(Document, Document.id == ProblemDocument.document_id)
            .where(ProblemDocument.problem_id.in_(problem_ids[start : start + _CHUNK]))
            .distinct()
        )
        for problem_id, kind in rows:
            found[problem_id] = found.get(problem_id, frozenset()) | {kind}
    return found


def _documents_of(problem: Problem, types: Types) -> Text:
    kinds = {frozenset({DocumentType.INVOICE}): _INVOICES, frozenset({DocumentType.CREDIT_NOTE}): _CREDIT_NOTES}
    return counted(kinds.get(types.get(problem.id, frozenset()), _DOCUMENTS), problem.documents)


def _cause(problem: Problem) -> Text:
    """With the customer's name where the cause is theirs and it does not name them."""
    text, name = text_of(problem.text), problem.customer_name
    if not name or name in text.da:
        return text
    return Text(f"{name}: {text.da}", f"{name}: {text.en}")


def opened(problem: Problem, types: Types) -> Text:
    """The line that says what waits, with today's count."""
    cause = _cause(problem)
    if problem.level != DOCUMENT:
        return cause
    count = _documents_of(problem, types)
    if problem.turn in (Turn.SOURCE, Turn.HERE):
        return Text(f"{count.da} venter på dig: {cause.da}", f"{count.en} {_wait(problem)} for you: {cause.en}")
    return Text(f"{count.da} venter: {cause.da}", f"{count.en} {_wait(problem)}: {cause.en}")


def _wait(problem: Problem) -> str:
    return "waits" if problem.documents == 1 else "wait"


def body_of(problem: Problem) -> Text:
    """Whose turn it is, and a few numbers."""
    turn = _TO_APPROVE if problem.rule == approval_words.RULE else _TURNS.get(Turn(problem.turn), EMPTY)
    if not problem.numbers:
        return turn
    shown = ", ".join(problem.numbers)
    more = problem.documents - len(problem.numbers)
    return Text(
        f"{turn.da} Nr. {shown}{f' og {more} til' if more > 0 else ''}.",
        f"{turn.en} No. {shown}{f' and {more} more' if more > 0 else ''}.",
    )


def body_of_resolved(problem: Problem) -> Text:
    """That there is nothing left to do. Documents that were taken out wait for nobody either."""
    if problem.level != DOCUMENT:
        return Text("I skal ikke gøre mere.", "There is nothing more to do.")
    return Text(
        "Ingen dokumenter venter på det længere: de er sendt, på vej eller taget ud.",
        "No documents wait for it any longer: they have been sent, are on their way, or were taken out.",
    )


def resolved(problem: Problem) -> Text:
    """The line that says that nothing waits any more."""
    cause = _cause(problem)
    return Text(f"Løst: {cause.da}", f"Solved: {cause.en}")


def escalated(problem: Problem, types: Types, hours: int) -> Text:
    """The line for the second person."""
    line = opened(problem, types)
    return Text(
        f"Ingen har taget sig af det i {hours} timer: {line.da}", f"Nobody has acted for {hours} hours: {line.en}"
    )


def grown(problem: Problem, types: Types) -> Text:
    """The line that says that it became far more."""
    line = opened(problem, types)
    return Text(f"Det er blevet til flere: {line.da}", f"There are more now: {line.en}")


def arrived(figures: Mapping[str, int]) -> Text:
    """``42 fakturaer og 3 kreditnotaer er sendt``."""
    parts = []
    if number := figures.get(DocumentType.INVOICE.value, 0):
        parts.append(counted(_INVOICES, number))
    if number := figures.get(DocumentType.CREDIT_NOTE.value, 0):
        parts.append(counted(_CREDIT_NOTES, number))
    return Text(
        f"{' og '.join(part.da for part in parts)} er sendt.",
        f"{' and '.join(part.en for part in parts)} {'was' if sum(figures.values()) == 1 else 'were'} sent.",
    )


def finished(run: Run) -> Text:
    """One run with its figures."""
    read, queued = counted(_DOCUMENTS, run.read), counted(_DOCUMENTS, run.queued)
    return Text(
        f"Kørslen er færdig: {read.da} læst, {queued.da} til afsendelse.",
        f"The run has finished: {read.en} read, {queued.en} to be sent.",
    )


def finished_many(runs: int, figures: Mapping[str, int]) -> Text:
    """Several runs as one line of a digest."""
    read, queued = counted(_DOCUMENTS, figures.get("read", 0)), counted(_DOCUMENTS, figures.get("queued", 0))
    return Text(
        f"{runs} kørsler er færdige: {read.da} læst, {queued.da} til afsendelse.",
        f"{runs} runs have finished: {read.en} read, {queued.en} to be sent.",
    )


def moment(when: datetime, zone: str = "Europe/Copenhagen") -> Text:
    """Day and time on the clock of a zone."""
    local = when.astimezone(ZoneInfo(zone))
    return Text(f"{local:%d.%m.%Y} kl. {local:%H.%M}", f"{local:%Y-%m-%d} at {local:%H:%M}")


def added(figures: Iterable[Mapping[str, int]]) -> dict[str, int]:
    """Figures of several notices together."""
    total: dict[str, int] = {}
    for one in figures:
        for name, number in one.items():
            total[name] = total.get(name, 0) + number
    return total
