"""Built-in rules on the model: what no receiver of an INVOIC would take, and what the partner's profile asks for."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from invoiceapp.domain.findings import Finding, Severity, Text
from invoiceapp.domain.identifiers import GLN, is_valid_gln, is_valid_gtin
from invoiceapp.domain.invoice import Invoice, Line
from invoiceapp.domain.money import LARGEST_AMOUNT, ZERO, plain, total
from invoiceapp.domain.totals import net_price
from invoiceapp.formats.base import Parameters
from invoiceapp.formats.validation import book
from invoiceapp.formats.validation.builtin import check_readable

from . import header, lines, parties, references
from .codes import PRICE_LENGTH, QUANTITY_LENGTH, digit_count, gives, number
from .parties import receiver, sender
from .profiles import Profile, effective

FORMAT = "edifact-d96a"
_PLACE = Text("leveringsstedet", "the place of delivery")
#: Some 90 segments each at the very most, which keeps a message below what our reader and most partners take.
MOST_LINES = 2000
MOST_VAT_GROUPS = 10
MOST_DOCUMENT_ALLOWANCES, MOST_LINE_ALLOWANCES, MOST_PRECEDING = 999, 15, 50


def _option(name: str) -> str:
    return f"formats.{FORMAT}.{name}"


def _ends(invoice: Invoice, profile: Profile) -> Iterator[Finding]:
    if not sender(invoice, profile):
        yield book.finding("EDI-SENDER-GLN")
    if not receiver(invoice, profile):
        yield book.finding("EDI-RECEIVER-GLN", buyer=invoice.buyer.name)


def _check_digits(invoice: Invoice, profile: Profile) -> Iterator[Finding]:
    place = invoice.delivery.location if invoice.delivery else None
    numbers = (
        (profile.sender_gln, _option("senderGln"), Text("afsenderen", "the sender")),
        (invoice.seller.gln, "supplier.gln", Text("jeres virksomhed", "your company")),
        (profile.receiver_gln, _option("receiverGln"), Text("modtageren", "the receiver")),
        (invoice.buyer.gln, "customer.gln", Text(invoice.buyer.name, invoice.buyer.name)),
        (profile.invoicee_gln, _option("invoiceeGln"), Text("fakturamodtageren", "the invoicee")),
        (place.value if place and place.scheme == GLN else None, "customer.deliveryGln", _PLACE),
    )
    for gln, fix, whose in numbers:
        if gln and not is_valid_gln(gln):
            yield book.finding("EDI-GLN", value=gln, whose=whose, fix=fix)


def _required(invoice: Invoice, profile: Profile) -> Iterator[Finding]:
    wanted = profile.required
    if "order" in wanted and not profile.clean(invoice.order_reference):
        yield book.finding("EDI-ORDER", profile=profile.label)
    if "delivery-note" in wanted and not profile.clean(header.delivery_note(invoice, profile)):
        yield book.finding("EDI-DELIVERY-NOTE", profile=profile.label)
    if "delivery-date" in wanted and not (invoice.delivery and invoice.delivery.date):
        yield book.finding("EDI-DELIVERY-DATE", profile=profile.label)
    if "gtin" in wanted:
        for line in invoice.lines:
            if not line.item.standard_id:
                yield book.finding(
                    "EDI-GTIN-MISSING", Severity.WARNING, line=line.id, item=line.item.name, profile=profile.label,
                    location=_location(line),
                )  # fmt: skip


def _location(line: Line) -> str:
    return f"BG-25[{line.id}]"


def _names(invoice: Invoice, profile: Profile) -> Iterator[Finding]:
    """Names of which the character set leaves nothing, or drops letters. A party without a name nobody can book."""
    seller, buyer, fatal, seen = invoice.seller, invoice.buyer, Severity.FATAL, Severity.WARNING
    rows: list[tuple[str | None, Text, str, str, Severity]] = []
    if profile.addresses:
        rows.append((seller.name, Text("Jeres virksomheds", "Your company's"), "BT-27", "supplier.name", fatal))
        rows.append((buyer.name, Text("Kundens", "The customer's"), "BT-44", "customer.name", fatal))
        place = invoice.delivery.name if invoice.delivery else None
        rows.append(
            (place, Text("Leveringsstedets", "The place of delivery's"), "BT-70", "customer.deliveryName", seen)
        )
    if profile.contacts:
        ours, theirs = Text("Jeres kontakts", "Your contact's"), Text("Kundens kontakts", "The customer's contact's")
        rows.append((seller.contact.name, ours, "BT-41", "supplier.contactName", seen))
        rows.append((buyer.contact.name, theirs, "BT-56", "customer.contactName", seen))
    if invoice.payee:
        payees = Text("Betalingsmodtagerens", "The payee's")
        rows.append((invoice.payee.name, payees, "BT-59", "supplier.payeeName", fatal))
    for name, whose, term, fix, severity in rows:
        written, characters = profile.clean(name), profile.character_set
        if name and name.strip() and not written:
            yield book.finding("EDI-NAME", severity, term=term, fix=fix, whose=whose, value=name, set=characters)
        elif profile.loses_letters(name):
            yield book.finding(
                "EDI-NAME-CHANGED", seen, term=term, fix=fix, whose=whose, value=name, written=written, set=characters
            )


def _cut_texts(invoice: Invoice, profile: Profile) -> Iterator[Finding]:
    """Texts that are longer than their segments hold."""
    note = (invoice.note, header.TEXT_WIDTH, header.TEXT_PARTS * header.NOTE_TEXTS, "BT-22", None)
    terms = (invoice.payment_terms, header.TEXT_WIDTH, header.TEXT_PARTS * header.TERMS_TEXTS, "BT-20", None)
    texts: list[tuple[str | None, int, int, str, Line | None]] = [note, terms]
    if profile.addresses:
        for party, name, city, code in (
            (invoice.seller, "BT-27", "BT-37", "BT-38"),
            (invoice.buyer, "BT-44", "BT-52", "BT-53"),
        ):
            texts.append((party.name, *parties.NAME, name, None))
            texts.append((party.address.city, *parties.CITY, city, None))
            texts.append((party.address.postal_code, *parties.POSTAL_CODE, code, None))
    for line in invoice.lines:
        texts.append((line.item.name, lines.ITEM_WIDTH, lines.ITEM_PARTS * lines.NAME_TEXTS, "BT-153", line))
        texts.append((line.note, header.TEXT_WIDTH, header.TEXT_PARTS * lines.NOTE_TEXTS, "BT-127", line))
        if profile.descriptions:
            most = lines.ITEM_PARTS * lines.DESCRIPTION_TEXTS
            texts.append((line.item.description, lines.ITEM_WIDTH, most, "BT-154", line))
    for text, width, most, term, place in texts:
        # One piece more than there is room for tells whether the text fits.
        pieces = profile.pieces(text, width, most + 1)
        if len(pieces) > most:
            yield book.finding(
                "EDI-TEXT-CUT", Severity.WARNING, value=text, limit=width * most, end=pieces[most - 1][-30:], term=term,
                location=_location(place) if place else None,
            )  # fmt: skip


def _lines(invoice: Invoice, profile: Profile) -> Iterator[Finding]:
    if len(invoice.lines) > MOST_LINES:
        yield book.finding("EDI-TOO-MANY-LINES", count=len(invoice.lines), limit=MOST_LINES)
    for line in invoice.lines:
        gtin = line.item.standard_id
        if gtin and not is_valid_gtin(gtin):
            yield book.finding("EDI-GTIN", value=gtin, line=line.id, item=line.item.name, location=_location(line))
        if not profile.clean(line.item.name):
            yield book.finding("EDI-ITEM-NAME", line=line.id, value=line.item.name, location=_location(line))
        if len(line.allowances_charges) > MOST_LINE_ALLOWANCES:
            yield book.finding("EDI-ALLOWANCES", line=line.id, limit=MOST_LINE_ALLOWANCES, location=_location(line))
        too_long = list(_line_numbers(line))
        yield from too_long or _line_amount(line, profile)


def _line_numbers(line: Line) -> Iterator[Finding]:
    for value, length, term in ((line.quantity, QUANTITY_LENGTH, "BT-129"), (line.price, PRICE_LENGTH, "BT-146")):
        digits = digit_count(plain(value))
        # A price is rounded to what fits; only its whole part may be too long. A quantity is never changed.
        if digits > length and (term == "BT-129" or digit_count(plain(abs(value)).partition(".")[0]) > length):
            yield book.finding(
                "EDI-NUMBER-LENGTH", value=plain(value), line=line.id, limit=length, term=term, location=_location(line)
            )


def _line_amount(line: Line, profile: Profile) -> Iterator[Finding]:
    """Receivers multiply: quantity and price must give the line's amount, by both prices where both are written."""
    told = lines.told_discounts(line, profile)
    prices = [(net_price(line), line.net_amount)]
    if told:
        prices.append((line.price, line.net_amount - total(item.signed for item in told)))
    for price, expected in prices:
        written = Decimal(number(price, PRICE_LENGTH))
        if not gives(line.quantity, written, line.base_quantity, expected):
            yield book.finding(
                "EDI-LINE-AMOUNT", line=line.id, item=line.item.name, quantity=plain(line.quantity), price=plain(written),
                stated=expected, location=_location(line),
            )  # fmt: skip
            return


def _amounts(invoice: Invoice, profile: Profile) -> Iterator[Finding]:
    totals = invoice.totals
    if totals.payable < ZERO or totals.gross < ZERO:
        yield book.finding("EDI-NEGATIVE", amount=totals.payable, currency=invoice.currency)
    if abs(totals.gross) >= LARGEST_AMOUNT or abs(totals.net) >= LARGEST_AMOUNT:
        yield book.finding("EDI-AMOUNT-LENGTH", amount=totals.gross)
    for count, limit, rule in (
        (len(invoice.vat), MOST_VAT_GROUPS, "EDI-VAT-GROUPS"),
        (len(invoice.allowances_charges), MOST_DOCUMENT_ALLOWANCES, "EDI-DOCUMENT-ALLOWANCES"),
        (len(invoice.preceding), MOST_PRECEDING, "EDI-PRECEDING"),
    ):
        if count > limit:
            yield book.finding(rule, count=count, limit=limit)
    for item in invoice.vat:
        written = profile.vat_category(item.vat.category)
        if written != item.vat.category:
            yield book.finding("EDI-VAT-CODE", Severity.INFO, value=item.vat.category.value, written=written)


def _test(invoice: Invoice, profile: Profile) -> Iterator[Finding]:
    """A test is delivered like any document, and so looks as if all were well."""
    if profile.test:
        yield book.finding("EDI-TEST", Severity.WARNING)


_CHECKS = (
    _test, _ends, references.recipient_reference, _check_digits, _required, references.lengths, references.document_numbers,
    references.other_numbers, _names, _cut_texts, _lines, _amounts,
)  # fmt: skip


def check(invoice: Invoice, parameters: Parameters) -> list[Finding]:
    """What stops an invoice, or should be seen, before it is written for this partner."""
    profile = effective(parameters.options)
    own = [finding for rule in _CHECKS for finding in rule(invoice, profile)]
    return [*check_readable(invoice, parameters), *own]
