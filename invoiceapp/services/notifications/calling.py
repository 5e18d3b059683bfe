"""Webhooks: what is noticed for an adaptor, told to an address of the customer's own and signed.

In the form of the Standard Webhooks specification: headers ``webhook-id``, ``webhook-timestamp`` and
``webhook-signature`` = ``v1,`` and the base64 of HMAC-SHA256 over ``<id>.<timestamp>.<body>``.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import logging
import os
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, or_, select, update

from invoiceapp.current import config, guard
from invoiceapp.domain.fields import Field, FieldInvalid, FieldType, parse
from invoiceapp.domain.findings import Text
from invoiceapp.models import Adaptor, Webhook, WebhookCall, db, dump_json, new_id, utcnow
from invoiceapp.outbound.deadline import Deadline
from invoiceapp.outbound.errors import OutboundError
from invoiceapp.outbound.http import Answer, HttpClient
from invoiceapp.services import secrets, stopping
from invoiceapp.services.database import changed, transaction
from invoiceapp.services.errors import Conflict, InvalidInput, text_dict

from .news import News

log = logging.getLogger(__name__)

BATCH = 20
#: Seconds until the next try; after the last one the event is given up.
RETRIES = (30, 300, 1_800, 7_200, 21_600, 43_200, 86_400)
LEASE = timedelta(minutes=2)
#: Failing for so long, it is switched off.
OFF_AFTER = timedelta(days=5)
#: Calls that have ended are kept for so long.
KEPT = timedelta(days=30)
PREFIX = "whsec_"
_SECONDS, _STEP = 20.0, 10.0
_KEY_BYTES = 32
_URL = Field("url", Text("Adresse", "Address"), FieldType.URL, required=True)
_GONE = 410
_NO_ANSWER = Text("Adressen svarede ikke.", "The address did not answer.")


def of_adaptor(adaptor_id: str) -> Webhook | None:
    """The adaptor's, on or off."""
    return db.session.scalar(select(Webhook).where(Webhook.adaptor_id == adaptor_id))


def calls(webhook_id: str, count: int = 20) -> list[WebhookCall]:
    """The newest first, for the page."""
    query = select(WebhookCall).where(WebhookCall.webhook_id == webhook_id).order_by(WebhookCall.id.desc())
    return list(db.session.scalars(query.limit(count)))


def save(adaptor_id: str, url: str, *, active: bool = True, new_key: bool = False) -> str | None:
    """Keep the address; the key where one was made now, which is shown this once. Raises ``InvalidInput``.

    Another address gets another key: one must not follow to a server that it was not given to.
    """
    try:
        url = str(parse(_URL, url.strip()))
        if len(url) > Webhook.url.type.length:
            raise FieldInvalid(Text("Adressen er for lang.", "The address is too long."))
    except FieldInvalid as error:
        raise InvalidInput({"url": error.text}) from error
    if config().production and not url.startswith("https://"):
        raise InvalidInput(
            {"url": Text("Skriv en adresse, der begynder med https://.", "Write an address with https://.")}
        )
    with transaction() as session:
        adaptor = session.get_one(Adaptor, adaptor_id, with_for_update={"key_share": True})
        row = of_adaptor(adaptor_id) or Webhook(
            id=new_id(), subscription_id=adaptor.subscription_id, adaptor_id=adaptor_id, url="", secrets={}
        )
        key = None
        if new_key or not row.secrets or row.url != url:
            key = PREFIX + base64.b64encode(os.urandom(_KEY_BYTES)).decode()
            row.secrets = {"key": secrets.encrypt(key, _place(row.id))}
        row.url, row.active = url, active
        row.off_at = row.failing_since = row.error = None
        session.add(row)
    return key


def _place(webhook_id: str) -> str:
    return f"webhook/{webhook_id}/key"


def remove(adaptor_id: str) -> None:
    """Forget the address, its key and its calls."""
    with transaction() as session:
        row = of_adaptor(adaptor_id)
        if row is not None:
            session.execute(delete(WebhookCall).where(WebhookCall.webhook_id == row.id))
            session.delete(row)


def ping(adaptor_id: str, now: datetime | None = None) -> str:
    """Queue an event that says nothing but that it works; the call's id. Raises ``Conflict`` where it is off."""
    now = now or utcnow()
    with transaction() as session:
        row = of_adaptor(adaptor_id)
        if row is None or not row.active:
            raise Conflict(Text("Webhooken er slået fra.", "The webhook is switched off."))
        call = _call(row, f"test/{new_id()}", {"type": "test"}, now)
        session.add(call)
        return call.id


def is_wanted(adaptor_id: str) -> bool:
    """Whether somebody is told by webhook."""
    row = of_adaptor(adaptor_id)
    return row is not None and row.active


def add(adaptor_id: str, news: Sequence[News], now: datetime) -> None:
    """Queue a call for each piece of news. Inside the caller's transaction, which tells it to people too."""
    row = of_adaptor(adaptor_id)
    if row is not None and row.active:
        name = db.session.get_one(Adaptor, adaptor_id).name
        db.session.add_all(_call(row, one.event, _payload(one, adaptor_id, name), now) for one in news)


def _call(row: Webhook, event: str, payload: dict[str, Any], now: datetime) -> WebhookCall:
    return WebhookCall(
        id=new_id(), webhook_id=row.id, event=event, payload=payload | {"timestamp": now.isoformat()}, next_at=now,
        state="pending", created_at=now,
    )  # fmt: skip


def _payload(news: News, adaptor_id: str, name: str) -> dict[str, Any]:
    return {
        "type": f"{news.level}.{news.kind.value}",
        "data": {
            "adaptor": {"id": adaptor_id, "name": name}, "problem": news.problem_id, "run": news.run_id,
            "title": text_dict(news.title), "text": text_dict(news.body), "figures": news.figures,
            "url": config().base_url + news.path,
        },
    }  # fmt: skip


def due(now: datetime | None = None) -> bool:
    """Whether an event waits for its call."""
    return bool(_due(now or utcnow(), 1))


def _due(now: datetime, limit: int) -> list[str]:
    query = (
        select(WebhookCall.id)
        .join(Webhook, Webhook.id == WebhookCall.webhook_id)
        .where(WebhookCall.state.in_(("pending", "leased")), WebhookCall.next_at <= now, Webhook.active)
        .order_by(WebhookCall.next_at)
        .limit(limit)
    )
    return list(db.session.scalars(query))


def call_due(clock: Callable[[], datetime] = utcnow) -> int:
    """Make one batch of calls; how many. An address may be slow: the clock is asked anew for each."""
    now = clock()
    with transaction() as session:
        ids = _due(now, BATCH)
        over = (WebhookCall.state.in_(("done", "failed")), WebhookCall.finished_at < now - KEPT)
        session.execute(delete(WebhookCall).where(*over))
    for call_id in stopping.until_asked(ids):
        call(call_id, clock)
    return len(ids)


def call(call_id: str, clock: Callable[[], datetime]) -> bool:
    """One try; whether it was taken. A call whose worker died is made again, with the same id."""
    now = clock()
    with transaction() as session:
        claimed = session.execute(
            update(WebhookCall)
            .where(
                WebhookCall.id == call_id, WebhookCall.next_at <= now, or_(WebhookCall.state == "pending", WebhookCall.state == "leased")
            )
            .values(state="leased", fence=WebhookCall.fence + 1, tries=WebhookCall.tries + 1, next_at=now + LEASE)
            .execution_options(synchronize_session=False)
        )  # fmt: skip
        if not changed(claimed):
            return False
        row = session.get_one(WebhookCall, call_id, populate_existing=True)
        webhook = session.get_one(Webhook, row.webhook_id, populate_existing=True)
        fence, tries, payload, url = row.fence, row.tries, row.payload, webhook.url
        webhook_id, stored = webhook.id, webhook.secrets.get("key", "")
    answer, problem = _asked(webhook_id, url, call_id, stored, payload, clock())
    with transaction():
        _finish(call_id, fence, tries, answer, problem, clock())
    return answer is not None and answer.is_good


def _asked(
    webhook_id: str, url: str, call_id: str, stored: str, payload: dict[str, Any], now: datetime
) -> tuple[Answer | None, Text | None]:
    """The answer, and what is wrong with it."""
    try:
        key = secrets.decrypt(stored, _place(webhook_id))
    except secrets.SecretUnreadable as error:
        return None, error.text
    content = dump_json({"id": call_id, **payload}).encode()
    stamp = str(int(now.timestamp()))
    headers = {
        "Content-Type": "application/json", "User-Agent": "invoiceapp", "webhook-id": call_id, "webhook-timestamp": stamp,
        "webhook-signature": signature(key, call_id, stamp, content),
    }  # fmt: skip
    try:
        with HttpClient(guard()) as client:
            answer = client.request("POST", url, Deadline(_SECONDS, _STEP), headers=headers, content=content)
    except OutboundError as error:
        log.warning("webhook %s: %s", webhook_id, error.reason)
        return None, _NO_ANSWER
    if answer.is_good:
        return answer, None
    return answer, Text(f"Adressen svarede {answer.status}.", f"The address answered {answer.status}.")


def signature(key: str, call_id: str, stamp: str, content: bytes) -> str:
    """What the receiver compares with."""
    material = base64.b64decode(key.removeprefix(PREFIX))
    signed = hmac.new(material, f"{call_id}.{stamp}.".encode() + content, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(signed).decode()}"


def _finish(call_id: str, fence: int, tries: int, answer: Answer | None, problem: Text | None, now: datetime) -> None:
    """Inside the caller's transaction. A holder that was too slow changes nothing."""
    is_last = tries > len(RETRIES)
    state = "done" if problem is None else "failed" if is_last else "pending"
    pause = None if state != "pending" else max(RETRIES[tries - 1], min((answer and answer.retry_after) or 0, 3_600))
    moved = db.session.execute(
        update(WebhookCall)
        .where(WebhookCall.id == call_id, WebhookCall.state == "leased", WebhookCall.fence == fence)
        .values(
            state=state, status=answer.status if answer else None, error=text_dict(problem) if problem else None,
            next_at=now + timedelta(seconds=pause) if pause is not None else None, finished_at=None if pause is not None else now,
        )
        .execution_options(synchronize_session=False)
    )  # fmt: skip
    if not changed(moved):
        return
    webhook_id = db.session.scalar(select(WebhookCall.webhook_id).where(WebhookCall.id == call_id))
    webhook = db.session.get_one(Webhook, webhook_id, with_for_update=True, populate_existing=True)
    if problem is None:
        webhook.failing_since, webhook.error, webhook.answered_at = None, None, now
        return
    webhook.failing_since, webhook.error = webhook.failing_since or now, text_dict(problem)
    if pause is not None:
        # No worker waits for the same address again for each of its other events.
        waiting = (WebhookCall.webhook_id == webhook.id, WebhookCall.state == "pending", WebhookCall.next_at <= now)
        until = now + timedelta(seconds=pause)
        db.session.execute(
            update(WebhookCall).where(*waiting).values(next_at=until).execution_options(synchronize_session=False)
        )
    if webhook.active and ((answer and answer.status == _GONE) or now - webhook.failing_since >= OFF_AFTER):
        # An alarm tells of it (``alarms``).
        webhook.active, webhook.off_at = False, now
