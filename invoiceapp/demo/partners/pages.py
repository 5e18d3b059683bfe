"""A page that shows what the demo partners received."""

from __future__ import annotations

from flask import Blueprint, Response, jsonify, render_template_string

from .arrivals import Arrivals

_PAGE = """<!doctype html>
<html lang="da">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Modtagne filer / Files received</title>
</head>
<body>
<h1>Modtagne filer / Files received</h1>
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
</body>
</html>
"""


def partners_pages(arrivals: Arrivals) -> Blueprint:
    """``GET /partners`` (HTML) and ``GET /partners.json`` (a list of ``Arrival.to_dict``), newest first."""
    pages = Blueprint("partners", __name__)

    @pages.get("/partners")
    def page() -> str:
        return render_template_string(_PAGE, arrivals=arrivals.all())

    @pages.get("/partners.json")
    def as_json() -> Response:
        return jsonify([arrival.to_dict() for arrival in arrivals.all()])

    return pages
