from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from invoiceapp.domain.identifiers import Participant
from invoiceapp.domain.invoice import Delivery, Item, Line, Period
from invoiceapp.domain.parties import Address
from invoiceapp.domain.settings import settings_from
from invoiceapp.domain.tax import VatCategory, VatClass
from invoiceapp.sources.billy.delivery import delivery, invoicing_period

ISSUED = date(2026, 11, 2)
HOME = "DK"


@pytest.mark.parametrize(
    ("issued", "choice", "period"),
    [
        (ISSUED, "none", None),
        (ISSUED, "month", Period(date(2026, 11, 1), date(2026, 11, 30))),
        (ISSUED, "previous-month", Period(date(2026, 10, 1), date(2026, 10, 31))),
        (date(2027, 1, 31), "previous-month", Period(date(2026, 12, 1), date(2026, 12, 31))),
        (date(2028, 3, 31), "previous-month", Period(date(2028, 2, 1), date(2028, 2, 29))),
        (date(2026, 12, 31), "month", Period(date(2026, 12, 1), date(2026, 12, 31))),
        (date.max, "month", Period(date(9999, 12, 1), date.max)),
        (date.min, "previous-month", None),
    ],
)
def test_the_period_is_a_whole_calendar_month(issued, choice, period):
    assert invoicing_period(issued, choice) == period


def line(category: VatCategory) -> Line:
    vat = VatClass(category, Decimal(0))
    return Line("1", Decimal(1), "EA", Decimal(1), Decimal(1), vat, Item("Vare"))


def delivered(category=VatCategory.STANDARD, country=HOME, general=None, **customer):
    settings = settings_from({"general": general or {}, "customer": customer})
    return delivery([line(VatCategory.STANDARD), line(category)], ISSUED, country, settings)


K = VatCategory.INTRA_COMMUNITY
TO = {"deliveryStreet": "Kajen 1", "deliveryPostalCode": "9000", "deliveryCity": "Aalborg"}
TODAY = {"deliveryDate": "issue-date"}


def test_nothing_is_said_where_nothing_is_known():
    assert delivered() is None


@pytest.mark.parametrize(
    ("category", "country", "general", "customer", "expected"),
    [
        (K, "DE", None, {}, Delivery(ISSUED, Address(country="DE"))),
        (K, "DE", None, {"deliveryCountry": "AT"}, Delivery(ISSUED, Address(country="AT"))),
        (K, None, None, {}, Delivery(ISSUED, Address())),
        (K, "DE", TODAY, {"deliveryName": "Lager"}, Delivery(ISSUED, Address(country="DE"), "Lager")),
        (VatCategory.STANDARD, HOME, TODAY, {}, Delivery(ISSUED)),
        (VatCategory.STANDARD, HOME, None, {"deliveryName": "Lager"}, Delivery(name="Lager")),
        (
            VatCategory.STANDARD, HOME, None, {"deliveryGln": "5798009811578"},
            Delivery(location=Participant("0088", "5798009811578")),
        ),
        (
            VatCategory.STANDARD, HOME, TODAY, TO,
            Delivery(ISSUED, Address("Kajen 1", None, "Aalborg", "9000", None, "DK")),
        ),
        (
            VatCategory.STANDARD, HOME, None, {**TO, "deliveryCountry": "GL"},
            Delivery(None, Address("Kajen 1", None, "Aalborg", "9000", None, "GL")),
        ),
        (VatCategory.STANDARD, HOME, None, {"deliveryCity": "Nuuk"}, Delivery(None, Address(city="Nuuk", country="DK"))),
        (
            VatCategory.STANDARD, HOME, None, {"deliveryCountry": "DK"}, Delivery(None, Address(country="DK")),
        ),
    ],
)  # fmt: skip
def test_the_settings_and_intra_community_goods_tell_when_and_where(category, country, general, customer, expected):
    assert delivered(category, country, general, **customer) == expected
