"""The list of matched customers: counted, searched, narrowed, page by page; all of it in the address."""

from __future__ import annotations

from typing import Any

from flask import abort, render_template, request, url_for
from flask.typing import ResponseReturnValue

from invoiceapp.blueprints.main.links import Link, fix_link
from invoiceapp.blueprints.policy import policy
from invoiceapp.blueprints.tenancy import chosen_adaptor
from invoiceapp.domain.findings import Finding
from invoiceapp.domain.network import Network
from invoiceapp.htmx import STOP_POLLING, hx_response, render_page_or_fragment
from invoiceapp.models import Adaptor
from invoiceapp.services.configuration import customers, gateways
from invoiceapp.services.reach import gathering, looking_back, proposing, queries
from invoiceapp.services.reach.queries import Filter, Row

from . import words
from .blueprint import blueprint

#: Hidden fields that repeat the list's filter.
FILTER = "filter."


def list_url(adaptor_id: str, wanted: Filter | None = None) -> str:
    """The list of an adaptor, with a filter."""
    kept: dict[str, Any] = {**wanted.parameters()} if wanted else {}
    return url_for("network.index", adaptor=adaptor_id, **kept)


class _Place:
    """Where in the list the reader is: every link keeps it."""

    def __init__(self, adaptor: Adaptor, wanted: Filter) -> None:
        self._adaptor = request.args.get("adaptor") and adaptor.id
        self._wanted = wanted

    def url(self, **cursor: str) -> str:
        """Another page of the same list."""
        values: dict[str, Any] = {"adaptor": self._adaptor, **self._wanted.parameters(), **cursor}
        return url_for("network.index", **values)

    def showing(self, show: str) -> str:
        """The same search, narrowed otherwise."""
        values: dict[str, Any] = {"adaptor": self._adaptor, **Filter(self._wanted.text, show).parameters()}
        return url_for("network.index", **values)


def remark_link(row: Row, remark: Finding) -> Link | None:
    """Where what a remark tells of is mended, unless that is the customer's own page here."""
    return None if remark.fix == "customer.match" else fix_link(remark.fix, "", row.customer.id, on_document=True)


def network_kind() -> str:
    """The kind of gateway that chooses among the others."""
    return next(kind for kind, transport in gateways.kinds().items() if not transport.sends)


def _unreached(adaptor: Adaptor) -> list[str]:
    """Networks that no gateway of the adaptor reaches, by name."""
    reached = frozenset[Network]().union(*(way.networks for way in gathering.ways(adaptor)))
    return [one.label for one in Network if one not in reached]


def _board(adaptor: Adaptor) -> dict[str, Any]:
    """The look-up that goes on or has ended, what waits for a yes, and how many there are of each."""
    wanted, unreached = Filter.read(request.args), _unreached(adaptor)
    check = queries.check(adaptor.id)
    return {
        "adaptor": adaptor,
        "wanted": wanted,
        "place": _Place(adaptor, wanted),
        "check": check,
        "told": words.told(check.report) if check else [],
        "counts": queries.counts(adaptor.id),
        "proposals": proposing.waiting(adaptor.id),
        "shows": words.shows(),
        "unreached": unreached,
        "is_cut_off": len(unreached) == len(Network),
    }


@blueprint.get("")
@policy("adaptor:view")
def index() -> str:
    """Customers with what is known of how each can be reached."""
    adaptor = chosen_adaptor()
    if adaptor is None:
        return render_template("rules/empty.html")
    board = _board(adaptor)
    night = looking_back.last_night(adaptor.id)
    return render_page_or_fragment(
        "network/page.html",
        "network/_list.html",
        **board,
        listed=queries.page(
            adaptor.id, board["wanted"], after=request.args.get("after", ""), before=request.args.get("before", "")
        ),
        has_customers=customers.counts(adaptor.id)["customers"] > 0,
        is_offered=queries.is_offered(adaptor.id),
        network_kind=network_kind(),
        night=words.of_last_night(night.report) if night else None,
        gateway_names={row.id: row.name for row in gateways.of_subscription(adaptor.subscription_id)},
        remark_link=remark_link,
        scope=request.args.get("adaptor"),
    )


@blueprint.get("/live")
@policy("adaptor:view")
def live() -> ResponseReturnValue:
    """How far the look-up has come, for the poll; at its end the list is fetched again."""
    adaptor = chosen_adaptor()
    if adaptor is None:
        abort(404)
    board = _board(adaptor)
    content = render_template("network/_board.html", **board)
    if board["check"] is not None and board["check"].is_running:
        return hx_response(content)
    return hx_response(content, STOP_POLLING, trigger="looked-up")
