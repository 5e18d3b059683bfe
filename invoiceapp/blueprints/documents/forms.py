"""The reason that some actions ask for."""

from __future__ import annotations

from flask_babel import lazy_gettext as _l
from flask_wtf import FlaskForm
from wtforms import TextAreaField
from wtforms.validators import Length

LONGEST_NOTE = 1000


class NoteForm(FlaskForm):  # type: ignore[misc]
    """Whether a reason is needed is the service's to say."""

    note = TextAreaField(
        _l("Reason"),
        [Length(max=LONGEST_NOTE, message=_l("Write at most 1,000 characters."))],
        description=_l("It is kept with the document."),
        render_kw={"rows": 3},
    )

    def refuse(self, message: str, *, on_note: bool) -> None:
        """Show a service's refusal: beside the reason where the action asks for one, else above the form."""
        if on_note:
            self.note.errors = [*self.note.errors, message]
        else:
            self.form_errors.append(message)
