"""What to do about a document that the source has changed after it was sent, in words by the kind of the change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from invoiceapp.domain.delivery import ARRIVED
from invoiceapp.domain.findings import Text
from invoiceapp.models import Document

from .changes import ON_ITS_WAY, Change, Kind

#: What is to be done about each; of several, the gravest counts.
_ADVICE: Mapping[Kind, Text] = {
    Kind.VOIDED: Text(
        "Modtageren har den stadig og ved ikke, at den er annulleret; en annullering i Billy sender ingen kreditnota. Giv "
        "modtageren besked om, at den ikke gælder, og notér det her.",
        "The receiver still has it and does not know that it was voided; voiding in Billy sends no credit note. Tell the "
        "receiver that it does not count, and note that here.",
    ),
    Kind.GONE: Text(
        "Modtageren har den stadig. Se i Billy, hvorfor den ikke længere er godkendt: godkend den igen, eller giv modtageren "
        "besked om, at den ikke gælder.",
        "The receiver still has it. See in Billy why it is not approved any more: approve it again, or tell the receiver "
        "that it does not count.",
    ),
    Kind.CREDITED: Text(
        "Kreditnotaen skal også frem til modtageren. Åbn den, og se, hvad den venter på.",
        "The credit note has to reach the receiver, too. Open it, and see what it waits for.",
    ),
    Kind.CONTENT: Text(
        "Har modtageren fået noget andet end det, der er rigtigt nu, så lav en kreditnota i Billy og en ny faktura; begge "
        "sendes som ellers. Forskellene ses nedenfor under »Det sendte sammenlignet med Billy nu«. »Send samme fil igen« "
        "sender det gamle indhold.",
        "If the receiver got something else than what is right now, make a credit note in Billy and a new invoice; both are "
        "sent as usual. The differences are shown below under “What was sent compared with Billy now”. “Send the same file "
        "again” sends the old content.",
    ),
    Kind.PDF: Text(
        "Fakturaens indhold er det samme. Skal modtageren have den nye PDF eller de nye bilag, så send dem selv til "
        "modtageren; »Send samme fil igen« sender de gamle.",
        "What the invoice says is the same. If the receiver shall have the new PDF or attachments, send them to the receiver "
        "yourself; “Send the same file again” sends the old ones.",
    ),
    Kind.CONTACT: Text(
        "Det sendte gælder stadig. De næste dokumenter til kunden bruger de nye oplysninger.",
        "What was sent still counts. The next documents to the customer use the new details.",
    ),
}
_CREDIT_NOTE_ARRIVED = Text(
    "Kreditnotaen er fremme hos modtageren, så der mangler ikke mere. I kan lukke ændringen her.",
    "The credit note has reached the receiver, so nothing more is needed. You can close the change here.",
)
_CREDIT_NOTE_UNDER_WAY = Text(
    "Kreditnotaen er på vej til modtageren. Der er ikke noget at gøre.",
    "The credit note is on its way to the receiver. There is nothing to do.",
)
#: Statuses of what the receiver has.
_ARRIVED = frozenset(state.value for state in ARRIVED)


def of(change: Change, credit: Sequence[Document]) -> Text:
    """What to do about it; ``credit``: its ``credit_notes``."""
    gravest = change.kinds[0]
    if gravest is not Kind.CREDITED:
        return _ADVICE[gravest]
    if have_arrived(credit):
        return _CREDIT_NOTE_ARRIVED
    under_way = bool(credit) and all(one.status in ON_ITS_WAY for one in credit)
    return _CREDIT_NOTE_UNDER_WAY if under_way else _ADVICE[gravest]


def have_arrived(credit: Sequence[Document]) -> bool:
    """Whether there are credit notes, and the receiver has them all."""
    return bool(credit) and all(one.status in _ARRIVED for one in credit)
