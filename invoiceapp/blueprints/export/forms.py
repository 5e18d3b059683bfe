"""One form for each way of choosing documents."""

from __future__ import annotations

from datetime import date

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from flask_wtf import FlaskForm
from wtforms import DateField, SelectMultipleField, TextAreaField
from wtforms.validators import InputRequired, Length, Optional, ValidationError

from .numbers import MOST_NUMBERS, Backwards, TooMany, parse_numbers


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
    customers = SelectMultipleField(
        _l("Customers"), [InputRequired(_l("Choose at least one customer."))], name="ids", validate_choice=False
    )


class NumbersForm(FlaskForm):  # type: ignore[misc]
    """Document numbers."""

    numbers = TextAreaField(
        _l("Invoice numbers"),
        [InputRequired(_l("Write at least one number.")), Length(max=20_000, message=_l("The text is too long."))],
        description=_l("Separated by commas or on lines of their own; ranges as 1001-1010."),
        render_kw={"rows": 5},
    )

    def validate_numbers(self, field: TextAreaField) -> None:
        """Ranges in order, and not too many."""
        try:
            found = parse_numbers(field.data)
        except TooMany as error:
            raise ValidationError(
                _("These are more than %(most)s numbers. Export them in several rounds.", most=MOST_NUMBERS)
            ) from error
        except Backwards as error:
            raise ValidationError(_("The range %(range)s ends before it begins.", range=str(error))) from error
        if not found:
            raise ValidationError(_("Write at least one number."))
