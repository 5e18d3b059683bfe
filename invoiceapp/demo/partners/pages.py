"""A page that shows what the demo partners received."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

from flask import Blueprint, Response, abort, jsonify, render_template_string

from .arrivals import Arrivals
from .provider_account import StoredDocument
from .providers import Providers

_PAGE = """<!doctype html>
<html lang="da">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Modtagne filer / Files received</title>
</head>
<body>
<h1>Modtagne filer / Files received</h1>
{% if providers %}
<h2>Gennem udbyderen Sproom / Through the provider Sproom</h2>
{% if documents %}
<table>
<caption>{{ documents|length }} i alt, nyeste først / in total, newest first</caption>
<thead>
<tr><th scope="col">Tid / Time (UTC)</th><th scope="col">Nummer / Number</th><th scope="col">Modtager / Receiver</th>
<th scope="col">Tilstand / State</th><th scope="col">XML</th><th scope="col">Svar / Response</th></tr>
</thead>
<tbody>
{% for document in documents %}
<tr><td>{{ document.created_at.strftime("%Y-%m-%d %H:%M:%S") }}</td><td>{{ document.facts.number }}</td>
<td>{{ document.facts.receiver }}</td>
<td>{{ document.state.word }}{% if document.state.message %}: {{ document.state.message }}{% endif %}</td>
<td><a href="/partners/sproom/{{ document.id }}.xml">{{ document.facts.format }}</a></td>
<td>{% for response in document.responses %}<a href="/partners/sproom/{{ response.id }}.xml">Svar / Response</a>{% endfor %}</td></tr>
{% endfor %}
</tbody>
</table>
{% else %}
<p>Intet er modtaget endnu. / Nothing has been received yet.</p>
{% endif %}
{% endif %}
<h2>Direkte / Directly</h2>
{% if arrivals %}
<table>
<caption>{{ arrivals|length }} i alt, nyeste først / in total, newest first</caption>
<thead>
<tr><th scope="col">Tid / Time (UTC)</th><th scope="col">Vej / Way</th><th scope="col">Navn / Name</th>
<th scope="col">Byte / Bytes</th><th scope="col">SHA-256</th></tr>
</thead>
<tbody>
{% for arrival in arrivals %}
<tr><td>{{ arrival.time.strftime("%Y-%m-%d %H:%M:%S") }}</td><td>{{ arrival.kind }}</td><td>{{ arrival.name }}</td>
<td>{{ arrival.size }}</td><td><code>{{ arrival.sha256 }}</code></td></tr>
{% endfor %}
</tbody>
</table>
{% else %}
<p>Intet er modtaget endnu. / Nothing has been received yet.</p>
{% endif %}
{% if providers %}
<h2>Udbydere til prøve / Providers to try</h2>
<p>Opret en gateway af slagsen med disse oplysninger. / Make a gateway of the kind with these details.</p>
<table>
<thead>
<tr><th scope="col">Slags / Kind</th><th scope="col">Adresse / Address</th><th scope="col">Indstillinger / Settings</th></tr>
</thead>
<tbody>
{% for provider in providers %}
<tr><td>{{ provider.kind }}</td><td><code>{{ provider.base_url }}</code></td>
<td>{% for name, value in provider.settings.items() %}{{ name }}: <code>{{ value }}</code><br>{% endfor %}</td></tr>
{% endfor %}
</tbody>
</table>
{% endif %}
</body>
</html>
"""


def partners_pages(arrivals: Arrivals, providers: Providers | None = None) -> Blueprint:
    """``GET /partners`` (HTML), newest first. As JSON: ``/partners.json``, the files that came directly
    (``Arrival.to_dict``), and ``/partners/sproom.json``, what Sproom got. ``/partners/sproom/<id>.xml``: one of its documents,
    or of the responses to them.
    """
    pages = Blueprint("partners", __name__)

    def documents() -> Sequence[StoredDocument]:
        return providers.account.newest_first() if providers else ()

    @pages.get("/partners")
    def page() -> str:
        shown = providers.all if providers else ()
        return render_template_string(_PAGE, arrivals=arrivals.all(), documents=documents(), providers=shown)

    @pages.get("/partners.json")
    def as_json() -> Response:
        return jsonify([arrival.to_dict() for arrival in arrivals.all()])

    @pages.get("/partners/sproom.json")
    def sproom() -> Response:
        return jsonify([_to_dict(document) for document in documents()])

    @pages.get("/partners/sproom/<document_id>.xml")
    def xml(document_id: str) -> Response:
        found = providers.account.get(document_id) if providers else None
        if found is None:
            abort(404)
        return Response(found.content, mimetype="application/xml")

    return pages


def _to_dict(document: StoredDocument) -> dict[str, Any]:
    """JSON form."""
    return {
        "id": document.id, "sha256": hashlib.sha256(document.content).hexdigest(), **document.facts, "time": document.created_at.isoformat(), "state": document.state.word,
        "message": document.state.message, "states": [state.word for state in document.states],
        "responses": [response.id for response in document.responses],
    }  # fmt: skip
