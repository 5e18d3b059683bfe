"""What holds for an adaptor whoever reads: the second person, silence, and the webhook."""

from __future__ import annotations

from flask import abort, request
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from invoiceapp.blueprints.policy import policy
from invoiceapp.blueprints.tenancy import chosen_adaptor
from invoiceapp.languages import say
from invoiceapp.models import Adaptor
from invoiceapp.services import bell
from invoiceapp.services.configuration.environments import require_kept
from invoiceapp.services.errors import Conflict, InvalidInput
from invoiceapp.services.notifications import calling, people, preferences

from .blueprint import blueprint
from .views import here, page, refused


def _adaptor() -> Adaptor:
    """The one that is set up; for owners and admins. Raises ``AdaptorDeleted``."""
    adaptor = chosen_adaptor()
    if adaptor is None:
        abort(404)
    require_kept(adaptor)
    return adaptor


@blueprint.post("/watch")
@policy("adaptor:edit")
def save_watch() -> ResponseReturnValue:
    """Keep who is told too when nobody acts, and whether silence is told."""
    adaptor, raw = _adaptor(), request.form
    values = {name: raw.get(name, "") for name in ("escalate_to", "escalate_hours")}
    silence = raw.get("silence") == "true"
    try:
        chosen = people.recipient_of(adaptor.subscription_id, values["escalate_to"]) or values["escalate_to"]
        preferences.save_watch(adaptor.subscription_id, adaptor.id, chosen, values["escalate_hours"], silence)
    except InvalidInput as error:
        return page(adaptor, watch=values | {"silence": silence}, **refused(error)), 422
    return here("watch", _("Saved."))


@blueprint.post("/webhook")
@policy("adaptor:manage", fresh=True)
def save_webhook() -> ResponseReturnValue:
    """Keep the address. A new key is shown in the answer, and never again."""
    adaptor, raw = _adaptor(), request.form
    url = raw.get("url", "")
    try:
        key = calling.save(adaptor.id, url, active="off" not in raw, new_key="new_key" in raw)
    except InvalidInput as error:
        return page(adaptor, url=url, **refused(error)), 422
    if key:
        return page(adaptor, webhook_key=key)
    return here("webhook", _("Saved."))


@blueprint.post("/webhook/test")
@policy("adaptor:manage")
def test_webhook() -> Response:
    """Send it an event that says nothing but that it works."""
    adaptor = _adaptor()
    try:
        calling.ping(adaptor.id)
    except Conflict as error:
        return here("webhook", say(error.text), tone="danger")
    bell.ring("call_webhooks")
    return here("webhook", _("A test event is on its way. Reload the page in a moment to see the answer."))


@blueprint.post("/webhook/remove")
@policy("adaptor:manage", fresh=True)
def remove_webhook() -> Response:
    """Forget the address and its key."""
    calling.remove(_adaptor().id)
    return here("webhook", _("The webhook is removed."))
