"""What a proof says, in both languages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from babel.dates import format_date, format_time

from invoiceapp.domain.findings import Text
from invoiceapp.formats.base import registry as formats
from invoiceapp.gateways.base import registry

from .groups import LEFT, Group

G = Group
NAMES: Mapping[Group, Text] = {
    G.UNPROVED: Text("Uforklaret", "Unexplained"),
    G.UNREADABLE: Text("Kan ikke læses", "Cannot be read"),
    G.NOT_READ: Text("Ikke hentet", "Not fetched"),
    G.UNKNOWN: Text("Uvist, om det nåede frem", "Arrival unknown"),
    G.REJECTED: Text("Afvist", "Rejected"),
    G.FAILED: Text("Ikke sendt", "Not sent"),
    G.BLOCKED: Text("Skal rettes", "Needs correction"),
    G.UNUSABLE: Text("Kan ikke eksporteres", "Cannot be exported"),
    G.APPROVAL: Text("Venter på godkendelse", "Waits for approval"),
    G.WAITING: Text("Venter på at blive sendt", "Waits to be sent"),
    G.CANCELLED: Text("Annulleret", "Cancelled"),
    G.TESTED: Text("Kun prøvet", "Only tested"),
    G.NOT_ACTIVATED: Text("Kunden er ikke aktiveret", "Customer not activated"),
    G.LEFT_OUT: Text("Udeladt efter indstillingerne", "Left out by the settings"),
    G.SENT_ITSELF: Text("Sendt af regnskabsprogrammet", "Sent by the accounting system"),
    G.ELSEWHERE: Text("Sendt gennem en anden adaptor", "Sent through another adaptor"),
    G.ELSEWHERE_OPEN: Text("Overladt til en anden adaptor, ikke bevist", "Left to another adaptor, not proven"),
    G.HANDLED: Text("Håndteret udenfor", "Handled outside"),
    G.ACCEPTED: Text("Afleveret", "Handed over"),
    G.DELIVERED: Text("Modtaget", "Received"),
    G.ACKNOWLEDGED: Text("Bekræftet", "Acknowledged"),
}
EXPLAINED: Mapping[Group, Text] = {
    G.UNPROVED: Text(
        "Systemet har noteret, at dokumentet er dannet eller sendt, men der er ingen afsendelse af det. Giv besked til den, der "
        "driver serveren, og spørg modtageren.",
        "The system has noted that the document was made or sent, but there is no delivery of it. Tell whoever runs the server, and "
        "ask the receiver.",
    ),
    G.UNREADABLE: Text(
        "Regnskabsprogrammets post har en form, som ikke kan læses. Ret den dér, og lav beviset igen.",
        "The accounting system's record has a form that cannot be read. Correct it there, and make the proof again.",
    ),
    G.NOT_READ: Text(
        "Det er godkendt i regnskabet, men var ikke hentet hertil. Hent nye dokumenter.",
        "It is approved in the accounts, but had not been fetched here. Fetch new documents.",
    ),
    G.UNKNOWN: Text(
        "Det er sendt, men ingen ved, om det nåede frem. Spørg modtageren, og vælg på dokumentets side.",
        "It was sent, but nobody knows whether it arrived. Ask the receiver, and choose on the document's page.",
    ),
    G.REJECTED: Text("Modtageren har afvist det.", "The receiver has rejected it."),
    G.FAILED: Text(
        "Det kunne ikke sendes, og modtageren har det ikke.",
        "It could not be sent, and the receiver does not have it.",
    ),
    G.BLOCKED: Text("Noget skal rettes, før det kan sendes.", "Something must be corrected before it can be sent."),
    G.UNUSABLE: Text("Det kan ikke blive til en e-faktura.", "It cannot become an e-invoice."),
    G.APPROVAL: Text("En anden person skal godkende noget først.", "A second person must approve something first."),
    G.WAITING: Text("Det var klar, men ikke sendt endnu.", "It was ready, but not sent yet."),
    G.CANCELLED: Text("En af jer har taget det ud af afsendelsen.", "One of you took it out of the sending."),
    G.TESTED: Text(
        "Det har kun været ved en test-gateway, så modtageren har det ikke.",
        "It has only been to a test gateway, so the receiver does not have it.",
    ),
    G.NOT_ACTIVATED: Text(
        "Dokumenter til kunden sendes ikke herfra.",
        "Documents to the customer are not sent from here.",
    ),
    G.LEFT_OUT: Text("Indstillingerne siger, at det ikke sendes.", "The settings say that it is not sent."),
    G.SENT_ITSELF: Text(
        "Regnskabsprogrammet har selv sendt det, så det sendes ikke igen.",
        "The accounting system has sent it itself, so it is not sent again.",
    ),
    G.ELSEWHERE: Text(
        "En anden adaptor har afleveret det, så det sendes ikke herfra også.",
        "Another adaptor has handed it over, so it is not sent from here too.",
    ),
    G.ELSEWHERE_OPEN: Text(
        "Det er overladt til en anden adaptor, og dér er det ikke bevist, at det er afleveret. Se efter dér.",
        "It was left to another adaptor, where it is not proven that it was handed over. Look there.",
    ),
    G.HANDLED: Text("En af jer har taget sig af det udenfor.", "One of you has taken care of it outside."),
    G.ACCEPTED: Text(
        "Det første led (mailserver, udbyder eller modtagerens system) har taget det; der er ikke kommet nogen senere kvittering.",
        "The first hop (mail server, provider or the receiver's system) has taken it; no later receipt has come.",
    ),
    G.DELIVERED: Text(
        "Der er kvitteret for det, eller filen er læst tilbage i modtagerens eller udbyderens system.",
        "There is a receipt for it, or the file was read back in the system of the receiver or the provider.",
    ),
    G.ACKNOWLEDGED: Text("Modtageren har bekræftet det.", "The receiver has acknowledged it."),
}
TYPES = {"invoice": Text("Faktura", "Invoice"), "creditNote": Text("Kreditnota", "Credit note")}
STANDINGS = {
    "voided": Text("Annulleret i regnskabet", "Voided in the accounts"),
    "draft": Text("Kladde i regnskabet", "Draft in the accounts"),
    "approved": Text("Dateret i en anden periode", "Dated in another period"),
    "gone": Text("Findes ikke i regnskabet", "Not in the accounts"),
    "": Text("Regnskabet kunne ikke svare", "The accounts could not tell"),
}
GAP = Text("Hul i nummerserien", "Gap in the number series")
TWICE = Text("Nummeret findes flere gange", "The number exists more than once")
TWICE_SENT = Text("Leveret mere end én gang", "Delivered more than once")
#: By the kind of a duplicate.
DOUBLES = {
    "number": TWICE,
    "delivery": TWICE_SENT,
    "source": Text("Sendt både herfra og af regnskabsprogrammet", "Sent both from here and by the accounting system"),
    "adaptor": Text("Sendt både herfra og gennem en anden adaptor", "Sent both from here and through another adaptor"),
}
GAP_ADVICE = Text(
    "Numre, som regnskabet ikke har: find ud af, om de er slettet eller aldrig brugt.",
    "Numbers that the accounts do not have: find out whether they were deleted or never used.",
)
DOUBLE_ADVICE = {
    "number": Text(
        "Flere godkendte dokumenter har samme nummer: ret det i regnskabet, eller krediter det ene.",
        "Several approved documents have the same number: correct it in the accounts, or credit one of them.",
    ),
    "delivery": Text("Spørg modtageren, om det er bogført to gange.", "Ask the receiver whether it was booked twice."),
    "source": Text(
        "Kunden kan have fået det to gange: spørg, om det er bogført to gange.",
        "The customer may have got it twice: ask whether it was booked twice.",
    ),
    "adaptor": Text(
        "Kunden kan have fået det to gange: spørg, om det er bogført to gange.",
        "The customer may have got it twice: ask whether it was booked twice.",
    ),
}
SENT_BUT_VOIDED = Text("Sendt herfra, men annulleret i regnskabet", "Sent from here, but voided in the accounts")
ONLY_OURS = Text("Findes her, men ikke i periodens regnskab", "Here, but not in the period's accounts")
DIFFERS = Text("Beløbet i regnskabet er ikke det, der blev sendt", "The amount in the accounts is not what was sent")
DIFFERS_ADVICE = Text(
    "Sammenlign dokumentet i regnskabet med det, der blev sendt; begge beløb står i CSV-filen.",
    "Compare the document in the accounts with what was sent; both amounts are in the CSV file.",
)
#: By what they are.
ONLY_OURS_ADVICE = {
    SENT_BUT_VOIDED: Text(
        "Modtageren har fået det: send en kreditnota, eller aftal med modtageren, at det ikke gælder.",
        "The receiver has got it: send a credit note, or agree with the receiver that it is void.",
    ),
    ONLY_OURS: Text(
        "Hvert dokument i listen siger, hvordan det står i regnskabet.",
        "Each document in the list says how it stands in the accounts.",
    ),
}
EXPLAINED_NUMBER = Text("Nummeret er brugt", "The number is used")


_CHANNELS = {
    "email": Text("på e-mail", "by e-mail"),
    "einvoice": Text("som e-faktura", "as an e-invoice"),
}
_DENMARK = ZoneInfo("Europe/Copenhagen")


def why(row: Mapping[str, Any]) -> Text:
    """What explains a document: what a person has said, what is known of it, what its way has proven, else its group."""
    group = Group(row["group"])
    if row["said"]:
        return _said(row["said"], group)
    found = _of_way(row, group) or EXPLAINED[group]
    if row["why"]:
        found = Text(row["why"]["da"], row["why"]["en"])
    if row["elsewhere"]:
        there = NAMES[Group(row["elsewhere"]["group"])]
        return Text(f"{found.da} Dér: {there.da}.", f"{found.en} There: {there.en}.")
    return found


def _of_way(row: Mapping[str, Any], group: Group) -> Text | None:
    """What is known where a document has arrived."""
    transport = registry().get(row["transport"] or "")
    if transport is None:
        return None
    return {Group.ACCEPTED: transport.yes_means, Group.DELIVERED: transport.proof_means}.get(group)


def _said(said: Mapping[str, Any], group: Group) -> Text:
    """``Markeret som modtaget af <who> <when>: »…«``."""
    what = _DECIDED.get(group, NAMES[group])
    at = datetime.fromisoformat(said["at"])
    da, en = moment(at, "da"), moment(at, "en")
    return Text(
        f"{what.da} af {said['by']} {da}: »{said['note']}«", f"{what.en} by {said['by']} {en}: “{said['note']}”"
    )


_DECIDED = {Group.ACCEPTED: Text("Markeret som modtaget", "Marked as received")}


def left_out(adaptor: str | None, channels: str) -> Text:
    """Why a document was skipped: the name of the adaptor that has it, or the channels of the accounting system."""
    if adaptor:
        return Text(f"Gennem adaptoren »{adaptor}«.", f"Through the adaptor “{adaptor}”.")
    ways = [_CHANNELS[one] for one in channels.split() if one in _CHANNELS]
    if not ways:
        return Text("", "")
    da, en = " og ".join(way.da for way in ways), " and ".join(way.en for way in ways)
    return Text(f"Regnskabsprogrammet har selv sendt det {da}.", f"The accounting system has sent it itself {en}.")


def several(texts: Sequence[Text]) -> Text:
    """The first, and how many more there are."""
    if not texts:
        return Text("", "")
    more = len(texts) - 1
    return Text(f"{texts[0].da} (+{more} mere)", f"{texts[0].en} (+{more} more)") if more else texts[0]


def only_ours(row: Mapping[str, Any]) -> Text:
    """What a document is that the period's accounts do not have."""
    return SENT_BUT_VOIDED if row["standing"] == "voided" and is_sent(row) else ONLY_OURS


def is_sent(row: Mapping[str, Any]) -> bool:
    """Whether it has left, whatever became of it."""
    return Group(row["group"]) in LEFT


def of_gap(gap: Mapping[str, Any]) -> str:
    """``1007`` or ``1007–1009``."""
    return str(gap["first"]) if gap["count"] == 1 else f"{gap['first']}–{gap['last']}"


def gap_advice(gap: Mapping[str, Any]) -> Text:
    """How many numbers are missing, what is here of them, and what to do."""
    count = gap["count"]
    da, en = ("1 nummer", "1 number") if count == 1 else (f"{count} numre", f"{count} numbers")
    here = ", ".join(gap["here"][:MOST_NAMED]) + (" …" if len(gap["here"]) > MOST_NAMED else "")
    found = Text(f" Her findes {here}.", f" Here are {here}.") if here else Text("", "")
    return Text(f"{da}. {GAP_ADVICE.da}{found.da}", f"{en}. {GAP_ADVICE.en}{found.en}")


def double_advice(double: Mapping[str, Any]) -> Text:
    """How often it is there, and what to do."""
    advice, count = DOUBLE_ADVICE[double["kind"]], double["count"]
    return Text(f"{count} gange. {advice.da}", f"{count} times. {advice.en}")


#: Numbers that a line names.
MOST_NAMED = 20


def locale(language: str) -> str:
    """As Babel calls it."""
    return "en_GB" if language == "en" else "da_DK"


def day(value: date, language: str) -> str:
    """``22. nov. 2026``, as pages write it."""
    return format_date(value, "medium", locale=locale(language))


def moment(value: datetime, language: str) -> str:
    """``22. nov. 2026 14.05`` in Danish time, as pages write it."""
    local = value.astimezone(_DENMARK)
    return f"{day(local.date(), language)} {format_time(local, 'short', locale=locale(language))}"


def format_label(name: str | None, language: str) -> str:
    """Of a format, by its id."""
    known = formats().get(name or "")
    return known.label.in_language(language) if known else name or ""


def way_label(kind: str | None, language: str) -> str:
    """Of a transport, by its kind."""
    known = registry().get(kind or "")
    return known.label.in_language(language) if known else kind or ""


def local_cell(value: str | None, language: str) -> str:
    """A time for a spreadsheet, in Danish time."""
    if not value:
        return ""
    local = datetime.fromisoformat(value).astimezone(_DENMARK)
    return local.strftime("%Y-%m-%d %H:%M" if language == "en" else "%d-%m-%Y %H:%M")
