"""The page of the official rules."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from support.rulepacks import PEPPOL, folder, sheet

from invoiceapp.config import Config
from invoiceapp.domain.findings import Text
from invoiceapp.formats.validation import installer
from invoiceapp.models import Subscription, User, db, utcnow
from invoiceapp.services.configuration import rulepacks, shadow
from invoiceapp.services.configuration.shadow import Affected, BrokenRule, Shadow
from invoiceapp.services.errors import Conflict

Submit = Callable[..., Any]


@pytest.fixture(autouse=True)
def english(user: User) -> None:
    user.language = "en"
    db.session.commit()


@pytest.fixture(autouse=True)
def rules_dir(app: Flask, config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Empty, on a fixed day."""
    app.extensions["invoiceapp.config"] = replace(config, rules_dir=tmp_path / "rules")
    monkeypatch.setattr(rulepacks, "today", lambda: date(2026, 11, 22))
    return tmp_path / "rules"


@pytest.fixture
def installed(tmp_path: Path, rules_dir: Path) -> None:
    for version, start in (("2025.11", None), ("2026.5", None), ("2026.11", date(2026, 12, 1))):
        source = folder(tmp_path / version, PEPPOL, content=sheet())
        installer.add(installer.Request(source, valid_from=start), rules_dir, utcnow(), date(2026, 11, 22))


def test_visitors_are_asked_to_sign_in(client: FlaskClient):
    assert client.get("/rulepacks").status_code == 302


def test_missing_rules_come_with_the_command_that_installs_them(signed_in: FlaskClient):
    html = signed_in.get("/rulepacks").text
    assert "The official rules for OIOUBL 2.1 (NemHandel) are not installed" in html
    assert "<code>make rulepacks</code>" in html
    assert "flask rulepacks add FILE --pack peppol" in html
    assert "checked by built-in rules only" in html
    assert "No rule packs are installed" in html
    assert "Try an edition" not in html


@pytest.mark.parametrize(
    ("required", "words"), [(True, "Documents stay here until"), (False, "Documents leave all the same")]
)
def test_the_page_says_whether_documents_may_leave_without_rules(
    signed_in: FlaskClient, app: Flask, required: bool, words: str
):
    settings = app.extensions["invoiceapp.config"]
    app.extensions["invoiceapp.config"] = replace(settings, require_official_rules=required)
    assert words in signed_in.get("/rulepacks").text


@pytest.mark.usefixtures("installed")
def test_the_page_shows_what_judges_today_and_what_comes(signed_in: FlaskClient):
    html = signed_in.get("/rulepacks").text
    for shown in ("Peppol 2026.5", "17 Aug 2026", "3 months old", "Version 2026.11 takes over on 2026-12-01.",
                  "Coming", "Not in use", "Comes with invoiceapp"):  # fmt: skip
        assert shown in html, shown
    assert "The official rules for Peppol BIS Billing 3 are not installed" not in html
    assert 'href="/rulepacks" aria-current="page"' in html


@pytest.mark.usefixtures("installed")
def test_the_page_speaks_danish(signed_in: FlaskClient, user: User):
    user.language = "da"
    db.session.commit()
    html = signed_in.get("/rulepacks").text
    assert "Officielle regler" in html
    assert "Version 2026.11 tager over den 01.12.2026." in html


@pytest.fixture
def tried(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """A trial with a fixed result; what it was asked for."""
    asked: list[Any] = []

    def run(pack: str, version: str, days: int, **options: Any) -> Shadow:
        asked.append((pack, version, days, options))
        stopped = BrokenRule("DK-R-099", Text("Mangler.", "The <b>reference</b> is missing."), 7)
        stopped.customers[("a", "1")] = Affected("Skolen & Co", 7, ["1001", "1002"])
        found = Shadow(pack, version, days, 9, 7, 1, 2, True, {"DK-R-099": stopped})
        found.customers = {("a", "1"): "Skolen & Co", ("a", "2"): "Biblioteket"}
        return found

    monkeypatch.setattr(shadow, "run", run)
    return asked


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize("headers", [{}, {"HX-Request": "true"}])
def test_a_trial_tells_whom_an_edition_would_stop(
    signed_in: FlaskClient, submit: Submit, tried: list[Any], subscription: Subscription, headers: dict[str, str]
):
    answer = submit(signed_in, "/rulepacks/trial", {"edition": "peppol/2026.11", "days": "30"}, headers=headers)
    assert tried == [("peppol", "2026.11", 30, {"subscription_id": subscription.id, "limit": 200})]
    assert answer.status_code == 200
    assert ("<html" in answer.text) is not bool(headers)
    for shown in ("7 of 9 documents would be stopped", "The &lt;b&gt;reference&lt;/b&gt; is missing.", "DK-R-099",
                  "Skolen &amp; Co", "1001, 1002 …", "Only the newest 200", "1 document was left out", "2 documents were",
                  "Biblioteket"):  # fmt: skip
        assert " ".join(shown.split()) in " ".join(answer.text.split()), shown


@pytest.mark.usefixtures("installed")
def test_a_trial_that_cannot_be_made_says_why(signed_in: FlaskClient, submit: Submit, monkeypatch: pytest.MonkeyPatch):
    def busy(*_: Any, **__: Any) -> Shadow:
        raise Conflict(Text("Optaget.", "Another trial is being made."))

    monkeypatch.setattr(shadow, "run", busy)
    assert "Another trial is being made." in submit(signed_in, "/rulepacks/trial", {"edition": "peppol/2026.5"}).text


@pytest.mark.usefixtures("installed", "tried")
@pytest.mark.parametrize("edition", ["", "peppol", "peppol/../..", "other/1"])
def test_a_trial_of_nothing_is_refused_in_words(
    signed_in: FlaskClient, submit: Submit, monkeypatch: pytest.MonkeyPatch, edition: str
):
    monkeypatch.undo()
    assert "The trial could not be made" in submit(signed_in, "/rulepacks/trial", {"edition": edition}).text


@pytest.mark.usefixtures("installed")
def test_a_number_of_days_that_is_not_offered_is_refused(signed_in: FlaskClient, submit: Submit):
    answer = submit(signed_in, "/rulepacks/trial", {"edition": "peppol/2026.5", "days": "99999"})
    assert answer.status_code == 400


@pytest.mark.usefixtures("installed")
def test_members_read_the_page_and_make_no_trial(member: FlaskClient, submit: Submit, tried: list[Any]):
    html = member.get("/rulepacks").text
    assert "2026.5" in html
    assert "/rulepacks/trial" not in html
    assert submit(member, "/rulepacks/trial", {"edition": "peppol/2026.5"}).status_code == 403
    assert tried == []
