"""The Peppol Directory: whoever is on Peppol and lets himself be found."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from flask import Flask, Response, abort, jsonify, request

from invoiceapp.domain.network import PARTICIPANT_SCHEME, Network

from .population import Listing, Population
from .switches import Switch

_SHORTEST = 3
_PAGE = 20
_LAST = 1_000


def create_directory(population: Population, switch: Switch) -> Flask:
    """The directory as a WSGI app."""
    app = Flask(__name__, static_folder=None)
    app.before_request(switch.refusal)

    @app.get("/search/1.0/json")
    def search() -> Response:
        wanted = request.args
        page, count = _number("resultPageIndex", 0), _number("resultPageCount", _PAGE)
        name = wanted.get("name", "").casefold()
        if not (name or wanted.get("participant")) or 0 < len(name) < _SHORTEST or (page + 1) * count > _LAST:
            abort(Response('"Bad query"', 400, mimetype="application/json"))
        found = [
            one
            for one in population.all()
            if one.is_published
            and one.on(Network.PEPPOL)
            and all(word in one.name.casefold() for word in name.split())
            and wanted.get("country", one.country) == one.country
            and wanted.get("participant", _id(one)).lower() == _id(one)
        ]
        shown = found[page * count : (page + 1) * count]
        return jsonify(
            {
                "version": "1.0",
                "total-result-count": len(found),
                "used-result-count": len(shown),
                "result-page-index": page,
                "result-page-count": count,
                "first-result-index": page * count,
                "last-result-index": page * count + len(shown) - 1,
                "query-terms": request.query_string.decode(),
                "creation-dt": datetime.now(UTC).isoformat(timespec="seconds"),
                "matches": [_match(one) for one in shown],
            }
        )

    return app


def _number(name: str, usual: int) -> int:
    value = request.args.get(name, usual, type=int)
    if value < 0:
        abort(400)
    return value


def _id(listing: Listing) -> str:
    return f"{PARTICIPANT_SCHEME}::{listing.participant}".lower()


def _match(listing: Listing) -> dict[str, Any]:
    types = [one.document_id for one in listing.on(Network.PEPPOL)]
    return {
        "participantID": {"scheme": PARTICIPANT_SCHEME, "value": str(listing.participant).lower()},
        "docTypes": [{"scheme": one.scheme, "value": one.value} for one in types],
        "entities": [{"name": [{"name": listing.name}], "countryCode": listing.country, "regDate": "2024-01-01"}],
    }
