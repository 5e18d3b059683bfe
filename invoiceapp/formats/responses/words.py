"""What a response means for whoever sent the invoice: what is said, whose turn it is, and what to do."""

from __future__ import annotations

from invoiceapp.domain.findings import Text

from .values import BusinessResponse, By, Says

#: Reasons and places that are told in one text; all of them are in the evidence.
_TOLD = 4

#: By what is said; ``{why}`` stands for the reasons in their own words.
_SENTENCES = {
    Says.RECEIVED: Text(
        "Det er modtaget og kan læses. Det er ikke et ja fra køber{why}.",
        "It was received and can be read. That is no yes from the buyer{why}.",
    ),
    Says.PASSED_ON: Text(
        "Det er sendt videre til modtageren på en måde, hvor ingen kan se, om det når frem, for eksempel som e-mail{why}.",
        "It was passed on to the receiver in a way in which nobody can see whether it arrives, such as e-mail{why}.",
    ),
    Says.NOT_DELIVERED: Text(
        "Ikke leveret, køber har det ikke{why}. Ret det, og send det igen.",
        "Not delivered, the buyer does not have it{why}. Correct it and send it again.",
    ),
    Says.WRONG_PROFILE: Text(
        "Ikke leveret: modtageren tager ikke imod denne slags dokument{why}. Vælg et andet format til kunden, og send igen.",
        "Not delivered: the receiver does not take this kind of document{why}. Choose another format for the customer and send "
        "it again.",
    ),
    Says.IN_PROCESS: Text("Køber behandler det{why}.", "The buyer is processing it{why}."),
    Says.UNDER_QUERY: Text(
        "Køber kan ikke gå videre, før I svarer{why}. Kontakt køber.",
        "The buyer cannot go on before you answer{why}. Contact the buyer.",
    ),
    Says.CONDITIONAL: Text(
        "Køber godtager det på betingelser{why}. Kontakt køber, hvis I er uenige.",
        "The buyer accepts it on conditions{why}. Contact the buyer if you disagree.",
    ),
    Says.REJECTED: Text(
        "Køber siger nej{why}. Tal med køber; det ender som regel med en kreditnota eller en ny faktura.",
        "The buyer says no{why}. Talk to the buyer; it usually ends with a credit note or a new invoice.",
    ),
    Says.ACCEPTED: Text("Køber har godtaget det{why}.", "The buyer has accepted it{why}."),
    Says.PARTLY_PAID: Text("Køber skriver, at en del er betalt{why}.", "The buyer writes that a part is paid{why}."),
    Says.PAID: Text("Køber skriver, at det er betalt{why}.", "The buyer writes that it is paid{why}."),
}
_UNCLEAR = Text(
    "Svaret har koden »{code}«, som vi ikke kender{why}. Spørg modtageren, hvad det betyder.",
    "The answer has the code “{code}”, which we do not know{why}. Ask the receiver what it means.",
)
_UNREADABLE_THERE = Text(
    "Ikke leveret: købers system kunne ikke bruge dokumentet{why}. Ret det, og send det igen.",
    "Not delivered: the buyer's system could not use the document{why}. Correct it and send it again.",
)


def explained(response: BusinessResponse) -> Text:
    """One to three sentences for the timeline."""
    sentence = _SENTENCES.get(response.says, _UNCLEAR)
    if response.says is Says.NOT_DELIVERED and response.by is By.RECEIVER_SYSTEM:
        sentence = _UNREADABLE_THERE
    why = _why(response)
    return Text(
        sentence.da.replace("{code}", response.code).replace("{why}", why.da),
        sentence.en.replace("{code}", response.code).replace("{why}", why.en),
    )


def _why(response: BusinessResponse) -> Text:
    """A colon and what they wrote, as theirs by quotation marks; nothing where they wrote nothing."""
    told = [one.text for one in response.reasons]
    told += [_placed(one.place, one.text) for one in response.lines]
    shown = told[:_TOLD]
    if not shown:
        return Text("", "")
    more = " …" if len(told) > _TOLD else ""
    da, en = (
        "; ".join(text.rstrip(".") for text in texts) for texts in zip(*((t.da, t.en) for t in shown), strict=True)
    )
    return Text(f": »{da}{more}«", f": “{en}{more}”")


def _placed(place: str, text: Text) -> Text:
    return text if place == "NA" else Text(f"{text.da} ({place})", f"{text.en} ({place})")
