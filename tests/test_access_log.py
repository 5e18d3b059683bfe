from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
from flask import Flask
from gunicorn.config import Config

from invoiceapp.access_log import AccessLog, without_keys

KEY = "WyJlaiIs.aZ0-_9"
NAME = "01JREQUEST0123456789ABCDEF"


@pytest.mark.parametrize(
    "path",
    [
        f"/reset/{KEY}", f"/invitations/{KEY}", f"/account/email/{KEY}", f"/notifications/confirm/{KEY}",
        f"/notifications/unsubscribe/{KEY}", f"/oidc/callback?state={KEY}&code={KEY}", f"/gateways/authorized?code={KEY}",
    ],
)  # fmt: skip
def test_a_line_has_no_key_of_the_request_or_of_the_page_before(path: str) -> None:
    log = AccessLog(Config())
    environ = {
        "REQUEST_METHOD": "GET",
        "RAW_URI": path,
        "PATH_INFO": path,
        "SERVER_PROTOCOL": "HTTP/1.1",
        "HTTP_REFERER": path,
    }
    answer = SimpleNamespace(status="200 OK", sent=1, headers=[])
    request = SimpleNamespace(headers=[("REFERER", f"https://faktura.example{path}")])
    atoms = log.atoms(answer, request, environ, SimpleNamespace(seconds=0, microseconds=1))
    line = Config().access_log_format % {**dict.fromkeys("hlutrsbfa", "-"), **atoms}
    assert path.rpartition("/")[0] in line and KEY not in line + str(atoms)


def test_other_addresses_stand_as_they_are() -> None:
    line = 'GET /documents/01M8/xml?download=1 HTTP/1.1 "https://faktura.example/reset"'
    assert without_keys(line) == line


def test_the_web_process_uses_it() -> None:
    assert "--logger-class invoiceapp.access_log.AccessLog" in (Path(__file__).parent.parent / "Procfile").read_text(
        "utf-8"
    )


def test_every_address_with_a_key_is_known(app: Flask) -> None:
    """Passkeys' and codes' own are left out: they count once, for one browser."""
    kept = {"security.wan_register_response", "security.wan_signin_response", "security.wan_verify_response"}
    kept.add("security.two_factor_setup_validate")
    for rule in app.url_map.iter_rules():
        if "token" in rule.arguments and rule.endpoint not in kept:
            assert KEY not in without_keys(rule.rule.replace("<token>", KEY)), rule


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [("text", f"GET /reset/… request={NAME}"), ("json", f'"message": "GET /reset/…", "request": "{NAME}"}}')],
)
def test_a_line_carries_the_requests_name(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], wanted: str, expected: str
) -> None:
    monkeypatch.setenv("LOG_FORMAT", wanted)
    settings = Config()
    settings.set("accesslog", "-")
    settings.set("access_log_format", "%(m)s %(U)s")
    environ = {"REQUEST_METHOD": "GET", "RAW_URI": "/", "PATH_INFO": f"/reset/{KEY}", "SERVER_PROTOCOL": "HTTP/1.1"}
    answer = SimpleNamespace(status="200 OK", sent=1, headers=[("x-request-id", NAME)])
    AccessLog(settings).access(answer, SimpleNamespace(headers=[]), environ, SimpleNamespace(seconds=0, microseconds=1))
    assert capsys.readouterr().out.rstrip().endswith(expected)
