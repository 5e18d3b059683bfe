"""One form for each way of choosing documents."""

from __future__ import annotations

from datetime import date

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from flask_wtf import FlaskForm
from wtforms import BooleanField, DateField, SelectMultipleField, TextAreaField
from wtforms.validators import InputRequired, Length, Optional, ValidationError

from invoiceapp.formatting import number

from .numbers import MOST_NUMBERS, TooMany, is_reversed, parse_numbers


class _DayField(DateField):  # type: ignore[misc]
    """A date whose mistake is told in the page's language."""

    def process_formdata(self, valuelist: list[str]) -> None:
        """Take a date as browsers send it, ``2026-11-22``."""
        try:
            super().process_formdata(valuelist)
        except ValueError as error:
            raise ValueError(_("Write a date, for example 2026-11-22.")) from error


def _not_before_first(form: FlaskForm, field: DateField) -> None:
    first: date | None = form.first_date.data
    if first and field.data and field.data < first:
        raise ValidationError(_("The last date must not be before the first."))


class DateForm(FlaskForm):  # type: ignore[misc]
    """A period of issue dates."""

    first_date = _DayField(_l("From"), [InputRequired(_l("Choose the first date."))])
    last_date = _DayField(_l("To"), [InputRequired(_l("Choose the last date.")), _not_before_first])


class CustomerForm(FlaskForm):  # type: ignore[misc]
    """Customers, and a period where one is wanted."""

    first_date = _DayField(_l("From"), [Optional()], description=_l("Empty: from the beginning"))
    last_date = _DayField(_l("To"), [Optional(), _not_before_first], description=_l("Empty: until today"))
    everything = BooleanField(name="everything")
    customers = SelectMultipleField(_l("Customers"), name="ids", validate_choice=False)

    def validate_customers(self, field: SelectMultipleField) -> None:
        """Some, or all that the search shows."""
        if not field.data and not self.everything.data:
            raise ValidationError(_("Choose at least one customer."))


class NumbersForm(FlaskForm):  # type: ignore[misc]
    """Document numbers."""

    numbers = TextAreaField(
        _l("Invoice numbers"),
        [InputRequired(_l("Write at least one number.")), Length(max=100_000, message=_l("The text is too long."))],
        description=_l("Separated by commas, spaces or lines, as copied from a spreadsheet; ranges as 1001-1010."),
        render_kw={"rows": 5},
    )

    def validate_numbers(self, field: TextAreaField) -> None:
        """Something to look for, and not too much."""
        try:
            found = parse_numbers(field.data)
        except TooMany as error:
            raise ValidationError(
                _("These are more than %(most)s numbers. Find them in several rounds.", most=number(MOST_NUMBERS))
            ) from error
        reversed_ranges = [word for word in found.not_understood if is_reversed(word)]
        if not found.understood and reversed_ranges:
            words = ", ".join(reversed_ranges[:10])
            raise ValidationError(
                _("The range is the wrong way round: %(words)s. Write the smallest number first.", words=words)
            )
        if not found.understood and found.not_understood:
            words = ", ".join(found.not_understood[:10])
            raise ValidationError(
                _("Not understood: %(words)s. Write numbers such as 1001, or ranges such as 1001-1010.", words=words)
            )
        if not found.understood:
            raise ValidationError(_("Write at least one number."))
