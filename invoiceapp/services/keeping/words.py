"""The words of the readable export, Danish first and English beside: a page on disk has one reader, whoever that is."""

from __future__ import annotations

from invoiceapp.domain.findings import Text
from invoiceapp.domain.invoice import DocumentType

TYPES = {DocumentType.INVOICE: "Faktura / Invoice", DocumentType.CREDIT_NOTE: "Kreditnota / Credit note"}
STATES = {
    "blocked": Text("Skal rettes", "Needs correction"),
    "pending": Text("Venter på afsendelse", "Waiting to be sent"),
    "leased": Text("Venter på afsendelse", "Waiting to be sent"),
    "sending": Text("Sendes", "Being sent"),
    "accepted": Text("Afleveret", "Handed over"),
    "delivered": Text("Modtaget", "Received"),
    "acknowledged": Text("Bekræftet", "Acknowledged"),
    "rejected": Text("Afvist", "Rejected"),
    "failed": Text("Ikke sendt", "Not sent"),
    "outcome_unknown": Text("Ankomst ukendt", "Arrival unknown"),
    "cancelled": Text("Annulleret", "Cancelled"),
    "superseded": Text("Erstattet", "Replaced"),
    "listed": Text("Ikke eksporteret", "Not exported"),
    "queued": Text("Konverteres", "Converting"),
    "converted": Text("Konverteret", "Converted"),
    "unusable": Text("Kan ikke eksporteres", "Cannot be exported"),
    "skipped": Text("Sendt ad anden vej", "Sent another way"),
    "handled": Text("Håndteret udenfor", "Handled outside"),
}
EVENTS = {
    **STATES,
    "fetched": Text("Hentet", "Fetched"),
    "fetched_again": Text("Hentet igen, ændret i regnskabet", "Fetched again, changed in the accounts"),
    "source_changed": Text("Ændret i regnskabet efter afsendelsen", "Changed in the accounts after it was sent"),
    "source_as_before": Text("Som før i regnskabet", "As before in the accounts"),
    "source_change_known": Text(
        "Der er taget hånd om ændringen i regnskabet", "The change in the accounts was seen to"
    ),
    "changed_in_source": Text("Ændret i regnskabet efter eksporten", "Changed in the accounts after it was exported"),
    "converted": Text("Konverteret", "Converted"),
    "validated": Text("Valideret", "Validated"),
    "sending": Text("Sendt", "Sent"),
    "said": Text("Nyt om afsendelsen", "News about the sending"),
    "late_receipt": Text("Modtagerens svar kom sent", "The receiver's answer came late"),
    "try_unavailable": Text("Modtageren kunne ikke nås", "The receiver could not be reached"),
    "try_refused": Text("Gatewayen afviste os", "The gateway refused us"),
    "try_unknown": Text("Intet svar", "No answer"),
    "tried_again": Text("Prøvet igen", "Tried again"),
    "sent_again": Text("Sendt igen med vilje", "Sent again on purpose"),
    "skipped_elsewhere": Text("Sprunget over: sendt gennem en anden adaptor", "Left out: sent through another adaptor"),
    "send_anyway": Text("Skal sendes alligevel", "To be sent anyway"),
    "marked_received": Text("Markeret som modtaget", "Marked as received"),
    "handled_outside": Text("Håndteret udenfor", "Handled outside"),
    "receipt_missing": Text("Kvitteringen er ikke kommet til tiden", "The receipt has not come in time"),
    "approved": Text("Kunden er godkendt", "Customer approved"),
    "asked": Text("Modtageren blev spurgt, om det er nået frem", "The receiver was asked whether it arrived"),
    "asked_by_hand": Text("Skal spørges igen", "To be asked again"),
    "excluded": Text("Udeladt af indstillingerne", "Left out by the settings"),
    "held": Text("Holdes tilbage et stykke tid", "Held back for a while"),
    "listed_again": Text("Venter på en manuel eksport", "Waits for a manual export"),
    "not_arrived": Text("Var ikke nået frem: sendes igen", "Had not arrived: sent once more"),
    "rebuilt": Text("Hentet igen og konverteres på ny", "Fetched again and converted anew"),
    "recovered": Text("Fortsat efter en afbrydelse", "Continued after an interruption"),
    "repeated": Text(
        "Sendes igen; modtageren genkender en gentagelse", "Sent once more; the receiver recognises a repetition"
    ),
    "sent_for_real": Text("Skal sendes rigtigt", "To be sent for real"),
    "sent_now": Text("Sendt uden at vente", "Sent without waiting"),
    "stopped": Text("Stoppet, før det blev sendt", "Stopped before it was sent"),
    "taken_back": Text("Skal dannes igen", "To be converted again"),
    "taken_up": Text("Taget op igen", "Taken up again"),
    "try_rejected": Text("Afvist af modtageren", "Rejected by the receiver"),
    "restored": Text("Gendannet fra en sikkerhedskopi", "Brought back from a backup"),
}

RECEIPTS = {
    "wire": Text("Svaret på afsendelsen", "The answer to the sending"),
    "found": Text("Fundet ved at spørge modtagerens system", "Found by asking the receiver's system"),
    "mdn": Text("Modtagerens kvittering (MDN)", "The receiver's receipt (MDN)"),
    "person": Text("En person har set, at det kom frem", "A person has seen that it arrived"),
    "application_response": Text("Købers svar (OIOUBL)", "The buyer's response (OIOUBL)"),
    "invoice_response": Text("Købers svar (Peppol)", "The buyer's response (Peppol)"),
    "mlr": Text("Svar fra modtagerens netværk (MLR)", "Answer of the receiver's network (MLR)"),
    "mls": Text("Status fra modtagerens netværk (MLS)", "Status of the receiver's network (MLS)"),
    "aperak": Text("Svar fra modtagerens system (APERAK)", "Answer of the receiver's system (APERAK)"),
    "contrl": Text("Svar fra modtagerens system (CONTRL)", "Answer of the receiver's system (CONTRL)"),
    "status": Text("Status fra netværket", "Status of the network"),
}
OUTCOMES = {
    "accepted": Text("Afleveret", "Handed over"),
    "refused": Text("Vores adgang eller opsætning blev afvist", "Our credentials or settings were refused"),
    "rejected": Text("Afvist", "Rejected"),
    "unavailable": Text("Ikke nået", "Not reached"),
    "unknown": Text("Intet svar", "No answer"),
}
WIRE_IDS = {
    "content_hash": Text("Indholdets kontrolsum", "Checksum of the content"),
    "filename": Text("Filnavn", "File name"),
    "idempotency_guid": Text("Afsendelsens nøgle", "Key of the sending"),
    "idempotency_key": Text("Afsendelsens nøgle", "Key of the sending"),
    "interchange": Text("Udvekslingens reference (UNB)", "Interchange reference (UNB)"),
    "message_id": Text("Meddelelsens id", "Id of the message"),
    "mic": Text("Kontrolsum (MIC)", "Checksum (MIC)"),
    "mic_algorithm": Text("Kontrolsummens metode", "Method of the checksum"),
    "number": Text("Dokumentnummer", "Document number"),
    "request_id": Text("Anmodningens id", "Id of the request"),
    "uuid": Text("Meddelelsens id", "Id of the message"),
}
VERDICTS = {
    "arrived": Text("Modtaget", "Received"),
    "acknowledged": Text("Bekræftet", "Acknowledged"),
    "rejected": Text("Afvist", "Rejected"),
    "on its way": Text("Intet endeligt svar endnu", "No final answer yet"),
}


def both(words: dict[str, Text], key: str) -> str:
    """In both languages; what has no words is shown as it is stored."""
    text = words.get(key)
    return bilingual(text) if text else key


def bilingual(text: Text) -> str:
    """Danish / English, once where both are the same."""
    return text.da if text.da == text.en else f"{text.da} / {text.en}"
