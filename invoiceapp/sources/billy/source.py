"""Billy as a source: customers, and approved documents with every record that conversion needs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, replace
from datetime import date, datetime, timedelta
from functools import cached_property
from typing import Any, ClassVar

from invoiceapp.domain.fields import Field
from invoiceapp.domain.findings import Text
from invoiceapp.domain.invoice import Attachment
from invoiceapp.domain.settings import Settings
from invoiceapp.outbound.guard import Guard
from invoiceapp.sources.base import (
    STRICT,
    Bookmark,
    Channel,
    Conversion,
    DocumentQuery,
    NotFound,
    Organization,
    Part,
    SentItself,
    Source,
    SourceChanged,
    SourceCustomer,
    SourceDocument,
    SourceError,
    Standing,
    TakenNumber,
    VatUse,
)
from invoiceapp.sources.pace import UNLIMITED, Pace

from .cache import Cache, path_of
from .client import BASE_URL, BillyClient, Forbidden, Page, Place, Record, RequestUnknown
from .mapping import convert as convert_bundle
from .numbering import taken_numbers, voided
from .records import (
    VOLATILE,
    book_standing,
    broken,
    identity,
    is_approved,
    organization,
    paper,
    source_customer,
    source_document,
    text,
)
from .sending import einvoiced, emailed
from .vat import vat_use

_INCLUDE = "invoice.lines:embed,invoice.contact:sideload,invoice.attContactPerson:sideload"


class BillySource(Source):
    """One company in Billy.

    Records that many documents share (organization, customers, products,
    accounts, tax rates) are read once per instance: open a new one for each slice of a run.
    One instance serves one thread.

    ``skipped`` collects what this instance left out because that one record was
    broken or gone, as (Billy's id or ``?``, error). A run should report it.
    """

    kind: ClassVar[str] = "billy"
    label: ClassVar[Text] = Text("Billy", "Billy")
    description: ClassVar[Text] = Text(
        "Læser godkendte fakturaer og kreditnotaer fra et regnskab i Billy. Der bliver aldrig skrevet i Billy.",
        "Reads approved invoices and credit notes from a company in Billy. Nothing is ever written to Billy.",
    )
    fields: ClassVar[tuple[Field, ...]] = (
        Field(
            "token",
            Text("Adgangsnøgle", "Access token"),
            required=True,
            secret=True,
            help=Text(
                "Opret den i Billy under Indstillinger → Adgangsnøgler. Den gælder for ét regnskab.",
                "Create it in Billy under Settings → Access tokens. It opens one company.",
            ),
        ),
        Field(
            "base_url",
            Text("Adresse", "Address"),
            default=BASE_URL,
            is_address=True,
            pattern=r"https://[^\s?#@]+|http://(localhost|127\.0\.0\.1|\[::1\])(:\d+)?(/[^\s?#@]*)?",
            help=Text(
                "Lad adressen stå, hvis du ikke har fået en anden. Den skal begynde med https://.",
                "Leave it unless you were given another one. It must begin with https://.",
            ),
        ),
    )

    volatile: ClassVar[frozenset[str]] = VOLATILE

    #: Documents in one answer; with their lines well below the client's size limit.
    PAGE_SIZE: ClassVar[int] = 200
    #: How far before ``since`` to read: Billy may show an approval late, and its times name no time zone.
    OVERLAP: ClassVar[timedelta] = timedelta(hours=2)
    #: Documents that are asked for one by one in one part.
    PART: ClassVar[int] = 20
    #: Above this number of unknown products on a page, one list is cheaper than single look-ups.
    SINGLE_PRODUCTS: ClassVar[int] = 20

    def __init__(
        self, credentials: Mapping[str, Any], client: BillyClient | None = None, *, guard: Guard = STRICT,
        pace: Pace = UNLIMITED,
    ) -> None:  # fmt: skip
        """Open no connection yet. ``client`` replaces the one made from ``credentials``.

        Raises ``CredentialsRefused`` for a token or address that cannot be right.
        """
        super().__init__(credentials, guard=guard, pace=pace)
        self._client = client or BillyClient(
            credentials.get("token") or "", credentials.get("base_url") or BASE_URL, guard=guard, pace=pace
        )
        self._cache = Cache(self._client)
        self._products_listed = False
        self._fresh: tuple[str, Record] | None = None
        self.skipped: list[tuple[str, SourceError]] = []

    def close(self) -> None:
        """Give connections back."""
        self._client.close()

    def check(self) -> Organization:
        """The company of the token, asked for anew."""
        self._organization = self._client.get_one("/organization", "organization")
        return organization(self._organization)

    def customers(self) -> Iterator[SourceCustomer]:
        """All contacts that are customers; broken ones go to ``skipped``."""
        seen: set[str] = set()
        for contact in self._contacts():
            if contact.get("isCustomer") is not True:
                continue
            try:
                customer = source_customer(contact, _records(contact.get("contactPersons")))
            except SourceChanged as error:
                self._skip(contact, error)
                continue
            if customer.id not in seen:
                seen.add(customer.id)
                yield customer

    def documents(self, query: DocumentQuery) -> Iterator[SourceDocument]:
        """Approved documents that match; broken or missing ones go to ``skipped``.

        Billy ignores filters that it does not know, so every condition is
        checked again here. A document without approval time is kept whatever
        ``since`` says, because leaving it out would lose it for good.
        """
        if query.ids:
            found = list(self._documents_by_id(query))
            yield from sorted(found, key=lambda document: document.approved_at or datetime.min)
            return
        for page in self._pages(query):
            yield from self._documents_of(page, query)

    def parts(self, query: DocumentQuery, after: Bookmark | None = None) -> Iterator[Part]:
        """The pages of Billy's list, or a few of the documents that ``query`` names by id."""
        if query.ids:
            yield from self._parts_by_id(query, after)
            return
        for page in self._pages(query, Place(**after) if after else None):
            # Where Billy does not count pages, the end of the list is known by what earlier pages had.
            following = page.following if page.page_count is not None else None
            yield Part(self._documents_of(page, query), asdict(following) if following else None)

    def tax_rates(self) -> list[Mapping[str, Any]]:
        """Billy's own records of the rates that apply to sales."""
        return [rate for rate in self._tax_rates.values() if rate.get("appliesToSales") is True]

    def pdf(self, document_id: str) -> bytes | None:
        """Billy's PDF. Its address changes with every read, so it is read and used at once."""
        url = self._read_for(document_id).get("downloadUrl")
        return self._client.download(url) if isinstance(url, str) and url else None

    def already_sent(self, document_id: str, channels: frozenset[Channel] = frozenset(Channel)) -> list[SentItself]:
        """By e-mail as ``sentState`` says, as an e-invoice as the invoice's log says.

        The invoice's record is kept for the ``pdf`` that a conversion asks for next; it names the company, too.
        """
        record = self._client.get_one(path_of("invoices", document_id), "invoice")
        self._fresh = (document_id, record)
        found: list[SentItself | None] = []
        if Channel.EMAIL in channels:
            found.append(emailed(record))
        if Channel.EINVOICE in channels:
            found.append(einvoiced(self._logs(document_id, text(record, "organizationId"))))
        return [one for one in found if one is not None]

    def standing(self, document_id: str) -> Standing | None:
        """By the invoice's own record, whatever its state."""
        try:
            record = self._client.get_one(path_of("invoices", document_id), "invoice")
        except NotFound:
            return None
        return book_standing(record)

    def taken_numbers(self, first: date, last: date) -> Iterator[TakenNumber]:
        """From Billy's list without a state; drafts that have no number yet are left out."""
        return taken_numbers(self._client, first, last)

    def voided(self) -> Iterator[str]:
        """From Billy's list of voided documents."""
        return voided(self._client)

    @classmethod
    def convert(
        cls, bundle: Mapping[str, Any], settings: Settings, attachments: tuple[Attachment, ...] = ()
    ) -> Conversion:
        """See ``mapping.convert``."""
        return convert_bundle(bundle, settings, attachments)

    @classmethod
    def paper(cls, bundle: Mapping[str, Any]) -> Mapping[str, Any]:
        """See ``records.paper``."""
        return paper(bundle.get("invoice") or {})

    @classmethod
    def vat_use(cls, bundle: Mapping[str, Any]) -> VatUse:
        """See ``vat.vat_use``."""
        return vat_use(bundle)

    def _read_for(self, document_id: str) -> Record:
        """The invoice as read a moment ago by ``already_sent``, else as it is now; its PDF's address works once."""
        fresh, self._fresh = self._fresh, None
        if fresh is not None and fresh[0] == document_id:
            return fresh[1]
        return self._client.get_one(path_of("invoices", document_id), "invoice")

    def _logs(self, document_id: str, company: str | None) -> list[Record]:
        """Billy's log of its own e-invoices; none where this Billy does not have it, or the company has no right to it."""
        filters = {"invoiceId": document_id, "organizationId": company or identity(self._organization)}
        try:
            listed = list(self._client.list_all("/invoiceLogs", "invoiceLogs", filters))
        except (RequestUnknown, NotFound, Forbidden):
            return []
        # Billy ignores filters that it does not know.
        return [log for log in listed if log.get("invoiceId") in (None, document_id)]

    def _contacts(self) -> Iterator[Record]:
        """Contacts with their persons, or without where Billy refuses to include them."""
        try:
            yield from self._client.list_all("/contacts", "contacts", {"include": "contact.contactPersons:embed"})
        except SourceChanged:
            yield from self._client.list_all("/contacts", "contacts")

    def _filters(self, query: DocumentQuery) -> dict[str, str]:
        """The conditions that Billy's list of invoices knows."""
        filters = {"state": "approved", "include": _INCLUDE, "sortProperty": "approvedTime", "sortDirection": "ASC"}
        if query.since:
            filters["minApprovedTime"] = (query.since - self.OVERLAP).strftime("%Y-%m-%d %H:%M:%S")
        if query.first_date:
            filters["minEntryDate"] = query.first_date.isoformat()
        if query.last_date:
            filters["maxEntryDate"] = query.last_date.isoformat()
        if len(query.customer_ids) == 1:
            filters["contactId"] = query.customer_ids[0]
        if len(query.numbers) == 1:
            filters["invoiceNo"] = query.numbers[0]
        return filters

    def _pages(self, query: DocumentQuery, place: Place | None = None) -> Iterator[Page]:
        filters = self._filters(query)
        return self._client.pages("/invoices", "invoices", filters, page_size=self.PAGE_SIZE, place=place)

    def _parts_by_id(self, query: DocumentQuery, after: Bookmark | None) -> Iterator[Part]:
        ids = tuple(dict.fromkeys(query.ids))
        for start in range(after["position"] if after else 0, len(ids), self.PART):
            some = replace(query, ids=ids[start : start + self.PART])
            yield Part(self._documents_by_id(some), {"position": start + self.PART})

    def _documents_by_id(self, query: DocumentQuery) -> Iterator[SourceDocument]:
        for document_id in dict.fromkeys(query.ids):
            try:
                page = self._client.get_page(path_of("invoices", document_id), "invoice", {"include": _INCLUDE})
            except NotFound as error:
                self.skipped.append((document_id, error))
                continue
            yield from self._documents_of(page, query)

    def _documents_of(self, page: Page, query: DocumentQuery) -> Iterator[SourceDocument]:
        """The documents of one page that match."""
        for resource in ("contacts", "contactPersons"):
            self._cache.remember(resource, page.sideloaded.get(resource, []))
        invoices = [invoice for record in page.records if (invoice := self._matching_invoice(record, query))]
        if not invoices:
            return
        # Outside the loop below: what all documents share must stop the run when it does not fit, not skip each.
        company, rates = self._organization, self._tax_rates
        self._list_products(invoices)
        for invoice in invoices:
            try:
                document = source_document(invoice, self._bundle(invoice, company, rates))
            except SourceChanged as error:
                self._skip(invoice, error)
            else:
                yield document

    def _matching_invoice(self, record: Record, query: DocumentQuery) -> Record | None:
        """The record as it is kept, if it matches: with lines, without its PDF's address that changes every time."""
        try:
            if not is_approved(record) or not self._matches(source_document(record, {}), query):
                return None
            return {**_without_url(record), "lines": self._lines(record)}
        except SourceChanged as error:
            self._skip(record, error)
            return None

    def _matches(self, document: SourceDocument, query: DocumentQuery) -> bool:
        """Whether every condition of ``query`` holds."""
        since = query.since and query.since - self.OVERLAP
        return (
            (since is None or document.approved_at is None or document.approved_at >= since)
            and (query.first_date is None or document.issue_date >= query.first_date)
            and (query.last_date is None or document.issue_date <= query.last_date)
            and (not query.customer_ids or document.customer_id in query.customer_ids)
            and (not query.numbers or document.number in query.numbers)
            and (not query.ids or document.id in query.ids)
        )

    def _lines(self, invoice: Record) -> list[Record]:
        """The embedded lines, else the ones that Billy lists for the document."""
        lines = invoice.get("lines")
        if lines is None:
            listed = self._client.list_all("/invoiceLines", "invoiceLines", {"invoiceId": identity(invoice)})
            return [line for line in listed if line.get("invoiceId") == invoice["id"]]
        if not isinstance(lines, list) or not all(isinstance(line, dict) for line in lines):
            raise broken(invoice, "lines")
        return lines

    def _list_products(self, invoices: Iterable[Record]) -> None:
        """Read all products at once where one by one would take longer."""
        needed = {product_id for invoice in invoices for product_id in _line_values(invoice, "productId")}
        unknown = [product_id for product_id in needed if not self._cache.has("products", product_id)]
        if len(unknown) > self.SINGLE_PRODUCTS and not self._products_listed:
            self._cache.remember("products", self._client.list_all("/products", "products"))
            self._products_listed = True

    def _bundle(self, invoice: Record, company: Record, rates: Mapping[str, Record]) -> dict[str, Any]:
        """Every record that conversion needs, as Billy sent them; None or left out where Billy has none."""
        account_id = text(invoice, "bankAccountId") or text(company, "defaultInvoiceBankAccountId")
        credited = self._cache.get("invoices", "invoice", text(invoice, "creditedInvoiceId"))
        products = (self._cache.get("products", "product", key) for key in _line_values(invoice, "productId"))
        return {
            "organization": company,
            "account": self._cache.get("accounts", "account", account_id),
            "contact": self._cache.get("contacts", "contact", text(invoice, "contactId")),
            "contactPerson": self._cache.get("contactPersons", "contactPerson", text(invoice, "attContactPersonId")),
            "products": [product for product in products if product],
            "taxRates": [rates[key] for key in _line_values(invoice, "taxRateId") if key in rates],
            "invoice": invoice,
            "creditedInvoice": _without_url(credited) if credited else None,
        }

    @cached_property
    def _organization(self) -> Record:
        return self._client.get_one("/organization", "organization")

    @cached_property
    def _tax_rates(self) -> dict[str, Record]:
        return {identity(rate): rate for rate in self._client.list_all("/taxRates", "taxRates")}

    def _skip(self, record: Record, error: SourceError) -> None:
        self.skipped.append((text(record, "id") or "?", error))


def _without_url(invoice: Record) -> Record:
    """The invoice without ``downloadUrl``, which is another one at every read and works for a moment only."""
    return {name: value for name, value in invoice.items() if name != "downloadUrl"}


def _line_values(invoice: Record, name: str) -> list[str]:
    """The different values of one property of the lines, in the order of the lines."""
    values = (text(line, name) for line in invoice["lines"])
    return list(dict.fromkeys(value for value in values if value))


def _records(value: object) -> list[Record]:
    """The objects in an embedded list; none where Billy embedded nothing."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
