"""What CII at the EN 16931 level carries of our model; the round trip compares just that."""

from __future__ import annotations

#: Fields of ``Invoice`` and its parts, as dotted paths; all that is not in ``NOT_CARRIED``.
CARRIED: tuple[str, ...] = (
    "type", "number", "issue_date", "currency", "due_date", "note", "buyer_reference", "order_reference",
    "sales_order_reference", "despatch_reference", "contract_reference", "project_reference", "accounting_cost", "period",
    "preceding", "payment_terms", "totals", "vat", "attachments", "vat_in_tax_currency.currency", "vat_in_tax_currency.amount",
    "seller.name", "seller.endpoint", "seller.trading_name", "seller.legal_id", "seller.legal_scheme", "seller.vat_id",
    "seller.address", "seller.contact.name", "seller.contact.phone", "seller.contact.email", "seller.identifiers",
    "seller.legal_form", "buyer.name", "buyer.endpoint", "buyer.trading_name", "buyer.legal_id", "buyer.legal_scheme",
    "buyer.vat_id", "buyer.address", "buyer.contact.name", "buyer.contact.phone", "buyer.contact.email",
    "buyer.identifiers", "payee.name", "payee.legal_id", "delivery.date", "delivery.name", "delivery.location",
    "delivery.address", "payment.code", "payment.payment_id", "payment.account", "payment.branch", "payment.account_name",
    "payment.card_number", "payment.mandate", "payment.payer_account", "allowances_charges", "lines.id", "lines.quantity",
    "lines.unit", "lines.net_amount", "lines.price", "lines.vat", "lines.item.name", "lines.item.description",
    "lines.item.sellers_id", "lines.item.standard_id", "lines.item.buyers_id", "lines.item.classifications", "lines.note",
    "lines.order_line", "lines.accounting_cost", "lines.allowances_charges", "lines.period", "lines.base_quantity",
)  # fmt: skip

#: What is lost, and why.
NOT_CARRIED: dict[str, str] = {
    "source_id": "no term in EN 16931; reading gives the number instead",
    "seller.contact.id": "a term of OIOUBL only",
    "buyer.contact.id": "a term of OIOUBL only",
    "buyer.legal_form": "BT-33 is the seller's",
    "payment.card_network": "no term in EN 16931",
    "payment[1:]": "the library writes one way to pay; the first is kept",
    "vat_in_tax_currency.rate": "no term in EN 16931; reading gives the ratio of the two VAT amounts",
    "seller.identifiers, buyer.identifiers": "the library writes one number of each scheme; the first is kept",
    "lines.item.classifications": "the library writes one code of each list and version; the first is kept",
    "delivery.address without country": "the library writes no address without a country (BR-57)",
    "allowances_charges": "the library writes allowances before charges",
}
