"""A host of workers is cut off in mid-run: nothing is lost, nothing comes twice, and the others take over before it is back."""

from __future__ import annotations

import random
import time
import urllib.request
from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import select, update
from sqlalchemy.exc import OperationalError

from chaos import books, filling
from chaos.checker import Planned, Verdict, compare
from chaos.ledger import lines
from invoiceapp.demo.billy.server import serve
from invoiceapp.domain.delivery import ARRIVED, DeliveryState
from invoiceapp.models import Attempt, Delivery, Gateway, utcnow
from invoiceapp.services.database import reading, transaction
from invoiceapp.services.export import delivery, recovery, runs

from .network import HUB, Proxies
from .partners import BLIND
from .site import FIRST, FRONT, LONGEST, SECOND, Site

pytestmark = [pytest.mark.crash, pytest.mark.server]

#: Documents that a run reads from Billy; those that are laid into the outbox, and the seconds over which they come due.
FROM_BILLY, LAID, SECONDS = 40, 160, 6.0
S = DeliveryState


def wait_until(site: Site, ready: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + LONGEST
    while not ready():
        assert time.monotonic() < deadline, what
        site.look_after()
        time.sleep(0.02)


def held(site: Site, host: str, *states: DeliveryState) -> dict[str, str]:
    """Deliveries in the hands of a host's processes: id, name of the gateway."""
    owners = tuple(f":{pid}" for pid in site.pids(host))
    found = select(Delivery.id, Delivery.lease_owner, Gateway.name).join(Gateway, Gateway.id == Delivery.gateway_id)
    with reading() as session:
        rows = session.execute(found.where(Delivery.state.in_(states))).all()
    return {row.id: row.name for row in rows if row.lease_owner and row.lease_owner.endswith(owners)}


def in_flight(site: Site, host: str) -> set[str]:
    """What the blind partner has from a host's worker, which waits for the answer."""
    ids = {delivery_id for delivery_id, name in held(site, host, S.SENDING).items() if name == BLIND}
    with reading() as session:
        tries = session.execute(select(Attempt.delivery_id, Attempt.wire_ids).where(Attempt.delivery_id.in_(ids))).all()
    there = {line.key for line in lines(site.ledger) if line.takes_effect}
    return {row.delivery_id for row in tries if row.wire_ids["idempotency_key"] in there}


def state_of(delivery_ids: set[str]) -> set[DeliveryState]:
    with reading() as session:
        return set(session.scalars(select(Delivery.state).where(Delivery.id.in_(delivery_ids))))


def answers(site: Site) -> bool:
    """Whether people see the page on which they sign in."""
    try:
        with urllib.request.urlopen(site.web + "/login", timeout=30) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def test_a_host_that_is_cut_off_costs_a_lease_and_no_document(hub, installation):
    site = installation
    ground = filling.prepare(site.ports, site.host_key)
    site.start(FIRST, SECOND, FRONT)
    company = filling.company(FROM_BILLY)
    with serve(HUB, 0, company) as billy:
        plan = filling.connect(ground, billy.url, company)
        wait_until(site, lambda: answers(site), "nobody sees a page")
        # Before there is anything to send: workers may have delivered all of it by the time that the pages are there.
        (site.partners / "hold").touch()
        runs.start(ground.adaptor_id, trigger="manual")
        plan += filling.fill(ground, LAID, SECONDS, random.Random(1))
        wait_until(site, lambda: next(lines(site.ledger), None) is not None, "nobody delivers")
        wait_until(site, lambda: bool(in_flight(site, FIRST)), "the first host sends nothing to the blind partner")
        doubtful = in_flight(site, FIRST)
        site.cut(FIRST)
        (site.partners / "hold").unlink()
        wait_until(site, lambda: not held(site, FIRST, S.LEASED, S.SENDING), "the others do not take over")
        assert state_of(doubtful) == {S.OUTCOME_UNKNOWN}
        wait_until(site, lambda: books.left() == 0, "the others do not finish")
        assert answers(site)

        # It comes back with work in its memory that others have ended long ago.
        site.join(FIRST)
        site.end(SECOND)
        more = filling.fill(ground, 30, 0.5, random.Random(2), number_from=LAID)
        wait_until(site, lambda: books.left() == 0, "the host that came back does not work")
    site.end(FIRST, FRONT)
    result = compare((Planned(**one) for one in plan + more), books.entries(), lines(site.ledger))
    assert result.is_good, (result.violations, [one for one in result.documents if one.verdict.is_bad])
    # Nobody has sent them again. A yes that the host heard, and could not tell before it came back, is believed.
    assert state_of(doubtful) <= {S.OUTCOME_UNKNOWN, *ARRIVED}
    unknown = {
        one.partner for one in result.documents if one.verdict in (Verdict.UNKNOWN_ARRIVED, Verdict.UNKNOWN_MISSING)
    }
    assert unknown <= {BLIND, "mail"}


def test_what_a_host_held_when_it_was_cut_off_is_let_go_before_its_lease_ends(hub, installation):
    """Its open transaction would hold the row for hours: PostgreSQL is not told that the machine is gone."""
    site = installation
    if isinstance(site.network, Proxies):
        pytest.skip("a proxy cannot be silent: it closes")
    ground = filling.prepare(site.ports, site.host_key)
    filling.fill(ground, 1, 0, random.Random(1))
    [lease] = delivery.claim()
    with transaction() as session:
        session.execute(update(Delivery).values(next_at=utcnow() - timedelta(seconds=1)))
    with site.process(FIRST, "tests.hosts.orphan", lease.delivery_id) as orphan:
        wait_until(site, lambda: "held" in orphan.log.read_text(), "nobody holds it")
        with pytest.raises(OperationalError), transaction() as session:
            session.execute(select(Delivery.id).with_for_update(nowait=True))
        site.cut(FIRST)
        assert recovery.reap() == 1
    assert state_of({lease.delivery_id}) == {S.PENDING}
