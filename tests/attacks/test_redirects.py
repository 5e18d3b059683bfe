"""No address that somebody else has written leads a person away from here."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urljoin, urlsplit

import pytest
from flask.testing import FlaskClient
from jinja2 import BytecodeCache
from lxml import html
from support.tenants import Attacker, House, house

from invoiceapp.blueprints.main.way_back import is_here, page_at_or_above
from invoiceapp.models import User, db

PASSWORD = "correct-horse-battery"
HOSTILE = [
    "//evil.example", "///evil.example", "////evil.example/%2f..", "/\\evil.example", "\\\\evil.example", "\\/evil.example",
    "https:evil.example", "https:/evil.example", "https:///evil.example", "http://evil.example", "HTTPS://evil.example",
    "http:\\\\evil.example", "//evil.example\\@localhost", "//localhost@evil.example", "http://localhost@evil.example/",
    "http://localhost:80@evil.example/", "http://localhost.evil.example/", "http://evil.example#localhost",
    "http://evil.example?localhost", "javascript:alert(1)", "JaVaScRiPt:alert(1)//", "data:text/html,x", "vbscript:x",
    "\tjavascript:alert(1)", "java\nscript:alert(1)", "/\t/evil.example", "/\n/evil.example", "/\r/evil.example",
    " //evil.example", "\x01//evil.example", "/%0d%0aLocation:%20https://evil.example", "/runs\r\nLocation: https://evil.example",
    "/runs\r\nSet-Cookie: session=evil", "//evil。example", "//evil%E3%80%82example", "／／evil.example", "/／evil.example",
    "//[::ffff:203.0.113.7]", "//203.0.113.7", "//3405803783", "/.//evil.example", "/..//evil.example", "?next=//evil.example",
    "//evil.example:443/", "ftp://evil.example", "//xn--evl-sma.example", "/login?next=//evil.example",
]  # fmt: skip


def _leads_out(location: str) -> bool:
    """Read as browsers do (URL standard): blanks round it and tabs and line ends in it go, backslashes are slashes."""
    read = re.sub(r"[\t\r\n]", "", location).strip("".join(map(chr, range(33)))).replace("\\", "/")
    parts = urlsplit(urljoin("http://localhost/here", read))
    return parts.scheme != "http" or parts.netloc != "localhost"


def _is_evil(answer: Any) -> str | None:
    location = answer.headers.get("Location") or answer.headers.get("HX-Redirect") or answer.headers.get("HX-Location")
    if location is not None and (_leads_out(location) or "\r" in location or "\n" in location):
        return f"leads to {location!r}"
    if answer.status_code >= 500 or "evil" in str(answer.headers.getlist("Set-Cookie")):
        return f"{answer.status_code} {answer.headers}"
    if answer.status_code == 200 and answer.text.startswith("<!"):
        page = html.fromstring(answer.text)
        found = [
            one for one in page.xpath("//@href | //@action | //@formaction | //@hx-get | //@hx-post") if _leads_out(one)
        ]
        outside = [one for one in found if "evil" in one or "script" in one.lower()]
        return f"has {outside}" if outside else None
    return None


def test_the_list_is_read_as_browsers_read_it() -> None:
    led = [one for one in HOSTILE if _leads_out(one)]
    assert len(led) > 30 and not _leads_out("/runs?adaptor=1") and not _leads_out("runs")


@pytest.fixture(scope="module")
def visited(tmp_path_factory: pytest.TempPathFactory, compiled_templates: BytecodeCache) -> Iterator[House]:
    """Without tokens for forms, and with somebody whose second factor is asked for."""
    folder: Path = tmp_path_factory.mktemp("visited")
    with house(folder, compiled_templates) as found:
        found.app.config["WTF_CSRF_ENABLED"] = False
        yield found


def _ways(house: House, evil: str) -> Iterator[tuple[str, Any]]:
    """Every place where a way back can be given."""
    owner, quoted = Attacker(house.ours.owner), quote(evil, safe="")
    gateway = {"name": "Ny", "host": "127.0.0.1", "port": "22", "username": "u", "password": "p", "folder": "."}
    yield "language", owner.send("POST", "/language", data={"language": "da", "next": evil})
    yield "language, from a page", owner.send("POST", "/language", data={"language": "da"}, headers=_referrer(evil))
    yield "verify", owner.send("GET", f"/verify?next={quoted}")
    yield "verified", owner.send("POST", f"/verify?next={quoted}", data={"password": PASSWORD, "next": evil})
    yield "sign-in of somebody signed in", owner.send("GET", f"/login?next={quoted}")
    yield "new gateway", owner.send("GET", f"/gateways/new/sftp?next={quoted}")
    yield "made gateway", owner.send("POST", f"/gateways/new/sftp?next={quoted}", data={**gateway, "next": evil})
    yield "saved gateway", owner.send(
        "POST", f"/gateways/{house.ours.rows['gateway']}?next={quoted}", data={**gateway, "next": evil}
    )  # fmt: skip
    yield "other sign-in", owner.send("GET", f"/oidc/start?next={quoted}")
    yield "signed out", owner.send("POST", f"/logout?next={quoted}", data={"next": evil})
    yield from _as_visitor(house.app.test_client(), evil, quoted)


def _as_visitor(visitor: FlaskClient, evil: str, quoted: str) -> Iterator[tuple[str, Any]]:
    yield "sign-in page", visitor.get(f"/login?next={quoted}")
    for path in ("/reset", "/login/code", "/login/recovery-code", "/login/passkey", "/login/second-step"):
        yield path, visitor.get(f"{path}?next={quoted}")
    yield "page of members", visitor.get(f"/runs?next={quoted}", headers=_referrer(evil))
    yield "form of members", visitor.post("/runs", data={"next": evil}, headers=_referrer(evil))
    for number, form in enumerate(({}, {"next": evil})):
        where = f"/login?next={quoted}" if number else "/login"
        yield (
            f"signed in {number}",
            visitor.post(where, data={"email": "owner-ours@example.com", "password": PASSWORD, **form}),
        )
        visitor = visitor.application.test_client()


def _referrer(evil: str) -> dict[str, str]:
    """A header may hold no line end; the rest may be anything."""
    return {"Referer": re.sub(r"[\r\n]", "", evil).encode("utf-8").decode("latin-1")}


def test_a_way_back_is_a_path_of_ours_or_none(visited: House) -> None:
    with visited.app.test_request_context():
        taken = [one for one in HOSTILE if is_here(one)]
        assert not any(_leads_out(one) for one in taken), taken
        assert not any(_leads_out(page_at_or_above(one)) for one in HOSTILE)


#: One of each kind, for the places that take them.
_SOME = [
    "//evil.example", "/\\evil.example", "https:evil.example", "http://localhost@evil.example/", "javascript:evil()",
    "/\t/evil.example", "/runs\r\nLocation: https://evil.example", "//evil。example", "/login?next=//evil.example",
]  # fmt: skip


@pytest.mark.parametrize("evil", _SOME)
def test_no_way_back_leads_elsewhere(visited: House, evil: str) -> None:
    wrong = [f"{place}: {what}" for place, answer in _ways(visited, evil) if (what := _is_evil(answer))]
    assert not wrong, wrong


@pytest.mark.parametrize(
    "evil",
    [
        "//evil.example/runs",
        "http://localhost@evil.example/runs",
        "http://localhost//evil.example",
        "https://evil.example",
    ],
)
def test_neither_the_page_before_nor_the_shown_one_leads_elsewhere_when_it_is_asked_who_it_is(
    visited: House, evil: str
) -> None:
    owner = Attacker(visited.ours.owner)
    referrer = _referrer(evil)
    stale = visited.ours.owner
    with stale.session_transaction() as session:
        session["fs_paa"] = 1.0
    cookie = stale.get_cookie("session")
    assert cookie is not None
    answer = stale.post("/account/sessions/end-others", headers=referrer)
    shown = stale.post(
        "/account/sessions/end-others",
        headers={"HX-Request": "true", "HX-Current-URL": referrer["Referer"], **referrer},
    )
    assert not _is_evil(answer) and not _is_evil(shown)
    assert "evil" not in str(answer.location)
    # As before, for the next one.
    owner.send("GET", "/account/sessions")


def test_the_list_is_about_people_who_can_sign_in(visited: House) -> None:
    answer = visited.app.test_client().post(
        "/login?next=/runs",
        data={"email": db.session.get_one(User, visited.ours.users["owner"]).email, "password": PASSWORD},
    )
    assert answer.status_code == 302 and answer.location == "/runs"
