"""What the signed-in person wants to be told of, how soon and at which hours."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import flash, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_login import current_user
from werkzeug.wrappers import Response

from invoiceapp.blueprints.policy import policy
from invoiceapp.blueprints.tenancy import chosen_adaptor
from invoiceapp.languages import say
from invoiceapp.models import Adaptor, Recipient
from invoiceapp.services.errors import InvalidInput, ServiceError
from invoiceapp.services.notifications import calling, mailing, people, preferences, recipients
from invoiceapp.services.people import access

from .blueprint import blueprint

#: Zones that are offered; another one that was saved stays.
ZONES = (
    "Europe/Copenhagen", "Atlantic/Faroe", "America/Nuuk", "Europe/Oslo", "Europe/Stockholm", "Europe/Helsinki",
    "Europe/Berlin", "Europe/London", "UTC",
)  # fmt: skip
#: How a wish applies: to all adaptors alike, or to the one that is shown.
ALL, ONE = "all", "one"
#: In the session: what is said once, and in which part of the screen (its id).
_SAID = "notifications_said"


def words() -> dict[str, tuple[str, str]]:
    """What can be told, by ``preferences.KINDS``: words and an example."""
    return {
        "negative_document": (_("Documents that wait for somebody"), _("For example that 20 invoices lack an EAN number.")),
        "negative_adaptor": (
            _("Faults of source, gateway, run or mail"),
            _("For example that Billy refuses the token, or that a run did not happen."),
        ),
        "positive_document": (_("Documents that have arrived"), _("As figures: 42 invoices and 3 credit notes.")),
        "positive_adaptor": (_("Runs that have finished"), _("With what was read and sent.")),
    }  # fmt: skip


def rhythms(*, has_inbox: bool) -> list[tuple[str, str]]:
    """How soon, as choices."""
    return [
        ("now", _("At once")),
        ("hourly", _("Every hour, collected")),
        ("daily", _("Once a day, collected")),
        ("off", _("No mail, only here") if has_inbox else _("Never")),
    ]


def me() -> Recipient:
    """The signed-in person's row."""
    return recipients.of_user(access.subscription().id, current_user.id)


def own_context(recipient: Recipient, adaptor: Adaptor | None) -> dict[str, Any]:
    """Of the forms with somebody's wishes and hours."""
    kept = preferences.own(recipient.id)
    wishes = preferences.effective([recipient.id], adaptor.id if adaptor else None)[recipient.id]
    return {
        "recipient": recipient,
        "adaptor": adaptor,
        "several": len(access.adaptors()) > 1,
        "scope": ONE if adaptor and adaptor.id in kept else ALL,
        "wishes": {name: getattr(wishes, name).value for name in preferences.KINDS},
        "words": words(),
        "rhythms": rhythms(has_inbox=recipient.user_id is not None),
        "hours": hours_context(recipient),
        "zones": [(zone, zone.replace("_", " ")) for zone in dict.fromkeys((*ZONES, recipient.zone))],
        "has_mail": mailing.is_set_up(),
        "errors": {},
        "has_errors": False,
        "said": session.pop(_SAID, None),
    }


def hours_context(recipient: Recipient) -> dict[str, str]:
    """As the inputs of the form have them."""
    times = {name: getattr(recipient, name) for name in ("daily_at", "quiet_from", "quiet_until")}
    return {name: f"{value:%H:%M}" if value else "" for name, value in times.items()} | {"zone": recipient.zone}


def page(adaptor: Adaptor | None, **changed: Any) -> str:
    """The whole screen; ``changed`` is what a refused form puts in the place of what is stored."""
    subscription_id = access.subscription().id
    kept = adaptor if adaptor is not None and adaptor.deleted_at is None else None
    context = own_context(me(), kept) | {
        "others": recipients.others(subscription_id),
        "other": {"email": "", "name": "", "language": "da"},
        "watch": _watch(subscription_id, kept) if kept else None,
        "people": people.choosable(subscription_id),
        "webhook": calling.of_adaptor(kept.id) if kept and access.may_configure() else None,
        "calls": [],
        "url": None,
        "webhook_key": None,
        "may_configure": access.may_configure,
    }
    if context["webhook"] is not None:
        context["calls"] = calling.calls(context["webhook"].id, 5)
    return render_template("notifications/page.html", **context | changed)


def _watch(subscription_id: str, adaptor: Adaptor) -> dict[str, Any]:
    row = preferences.watch_of(subscription_id, adaptor.id)
    return {
        "escalate_to": people.key_of(row.escalate_to),
        "escalate_hours": str(row.escalate_hours),
        "silence": row.silence,
    }


def refused(error: InvalidInput) -> dict[str, Any]:
    """For ``page``: complaints by field."""
    return {"errors": {name: say(text) for name, text in error.errors.items()}, "has_errors": True}


def here(part: str, text: str, endpoint: str = ".index", *, tone: str = "success", **values: Any) -> Response:
    """Back to the part of the screen that was worked on, where ``text`` stands.

    A message on top of the page would be out of sight.
    """
    session[_SAID] = {"part": part, "text": text, "tone": tone}
    return redirect(url_for(endpoint, adaptor=request.args.get("adaptor"), _anchor=part, **values), 303)


def tell(error: ServiceError) -> None:
    """A refusal that belongs to no field."""
    flash(say(error.text), "error")


def save_wishes_of(recipient: Recipient, adaptor: Adaptor | None, raw: Mapping[str, str]) -> None:
    """For all adaptors alike, or for this one. Raises ``InvalidInput``."""
    wishes = preferences.Wishes.read(raw)
    if adaptor is not None and raw.get("scope") == ONE:
        preferences.save(recipient, adaptor.id, wishes)
        return
    preferences.save(recipient, None, wishes)
    if adaptor is not None:
        preferences.save(recipient, adaptor.id, None)


@blueprint.get("")
@policy("subscription:view")
def index() -> str:
    """Who is told what, how soon, and by which way."""
    return page(chosen_adaptor())


@blueprint.get("/settings")
@policy("subscription:view")
def settings() -> Response:
    """The address that mails name."""
    return redirect(url_for(".index"))


@blueprint.post("/wishes")
@policy("subscription:view")
def save_wishes() -> ResponseReturnValue:
    """Keep how soon I am told of what."""
    adaptor = chosen_adaptor()
    try:
        save_wishes_of(me(), adaptor, request.form)
    except InvalidInput as error:
        return page(adaptor, wishes=request.form, scope=request.form.get("scope"), **refused(error)), 422
    return here("wishes", _("Saved."))


@blueprint.post("/hours")
@policy("subscription:view")
def save_hours() -> ResponseReturnValue:
    """Keep when my mails leave."""
    try:
        preferences.save_hours(me(), request.form)
    except InvalidInput as error:
        return page(chosen_adaptor(), hours=request.form, **refused(error)), 422
    return here("hours", _("Saved."))


@blueprint.post("/mail")
@policy("subscription:view")
def want_mail() -> Response:
    """Mails again, after unsubscribing."""
    recipients.want_mail(access.subscription().id, current_user.id)
    return here("wishes", _("You get mails again."))
