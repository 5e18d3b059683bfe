"""The stand-in of Dropbox, asked as its API reference says."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
import requests

from invoiceapp.demo.partners.dropbox_account import (
    DEMO_APP_KEY,
    DEMO_APP_SECRET,
    DEMO_REFRESH_TOKEN,
    content_hash,
)
from invoiceapp.demo.partners.dropbox_api import DropboxApi

pytestmark = pytest.mark.server

VERIFIER = "v" * 43
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
BACK = "http://localhost:5000/back"
ASKED = {
    "client_id": DEMO_APP_KEY, "response_type": "code", "redirect_uri": BACK, "state": "s<\">",
    "code_challenge": CHALLENGE, "code_challenge_method": "S256",
}  # fmt: skip


@pytest.fixture
def server(tmp_path) -> Iterator[DropboxApi]:
    running = DropboxApi(tmp_path / "files")
    yield running
    running.close()


class Client:
    """An app that was let in."""

    def __init__(self, server: DropboxApi) -> None:
        self.url = server.url
        self.token = self.renew().json()["access_token"]

    def renew(self, **changes: str) -> requests.Response:
        form = {"grant_type": "refresh_token", "refresh_token": DEMO_REFRESH_TOKEN, "client_id": DEMO_APP_KEY} | changes
        return requests.post(f"{self.url}/oauth2/token", form, timeout=5)

    def call(self, path: str, content: bytes = b"", **headers: str) -> requests.Response:
        known = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"} | headers
        return requests.post(f"{self.url}/2/{path}", content, headers=known, timeout=5)

    def look(self, path: str) -> requests.Response:
        return self.call("files/get_metadata", json.dumps({"path": path}).encode())

    def upload(self, path: str, content: bytes, **argument: Any) -> requests.Response:
        headers = {
            "Dropbox-API-Arg": json.dumps({"path": path, **argument}),
            "Content-Type": "application/octet-stream",
        }
        return self.call("files/upload", content, **headers)


@pytest.fixture
def client(server: DropboxApi) -> Client:
    return Client(server)


def summary(answer: requests.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error_summary"]


def test_the_page_has_buttons_and_escapes_what_it_repeats(server):
    page = requests.get(f"{server.url}/oauth2/authorize", ASKED, timeout=5)
    assert page.status_code == 200 and page.text.count("<button") == 2
    assert 's<">' not in page.text and "s&lt;&quot;&gt;" in page.text


@pytest.mark.parametrize(
    "wrong", [{"client_id": "x"}, {"response_type": "token"}, {"code_challenge_method": "plain"}, {"redirect_uri": ""}]
)
def test_a_page_that_was_asked_for_wrongly_is_not_shown(server, wrong):
    assert requests.get(f"{server.url}/oauth2/authorize", ASKED | wrong, timeout=5).status_code == 400


def redeem(server: DropboxApi, **changes: str) -> requests.Response:
    sent = requests.post(
        f"{server.url}/oauth2/authorize", ASKED | {"answer": "allow"}, allow_redirects=False, timeout=5
    )
    came = dict(parse_qsl(urlsplit(sent.headers["Location"]).query))
    assert came["state"] == ASKED["state"]
    form = {
        "grant_type": "authorization_code", "code": came["code"], "code_verifier": VERIFIER, "redirect_uri": BACK,
        "client_id": DEMO_APP_KEY,
    } | changes  # fmt: skip
    return requests.post(f"{server.url}/oauth2/token", form, timeout=5)


def test_a_code_gives_tokens_of_which_one_renews_the_other(server, client):
    given = redeem(server).json()
    assert {"access_token", "refresh_token", "expires_in", "account_id", "token_type"} <= set(given)
    assert client.renew(refresh_token=given["refresh_token"], client_secret=DEMO_APP_SECRET).ok


@pytest.mark.parametrize("wrong", [{"code_verifier": "w" * 43}, {"code": "x"}, {"redirect_uri": BACK + "x"}])
def test_a_code_of_somebody_else_gives_nothing(server, wrong):
    answer = redeem(server, **wrong)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"client_id": "x"}, "invalid_client"),
        ({"client_secret": "x"}, "invalid_client"),
        ({"refresh_token": "x"}, "invalid_grant"),
        ({"grant_type": "password"}, "unsupported_grant_type"),
    ],
)
def test_a_wrong_renewal_is_refused_in_the_words_of_oauth(client, wrong, error):
    answer = client.renew(**wrong)
    assert (answer.status_code, answer.json()["error"]) == (400, error)


def test_a_person_who_says_no_comes_back_without_a_code(server):
    sent = requests.post(f"{server.url}/oauth2/authorize", ASKED | {"answer": "deny"}, allow_redirects=False, timeout=5)
    came = dict(parse_qsl(urlsplit(sent.headers["Location"]).query))
    assert came["error"] == "access_denied" and "code" not in came


def test_the_account_is_shown_to_whoever_has_a_token(server, client):
    assert client.call("users/get_current_account").json()["email"] == "bogholder@demo.example"
    server.expire_tokens()
    assert summary(client.call("users/get_current_account")) == (401, "expired_access_token/...")
    client.token = "x"
    assert summary(client.call("users/get_current_account")) == (401, "invalid_access_token/...")


def test_a_file_is_kept_and_found_again_by_any_case_of_letters(server, client):
    stored = client.upload("/A/b.xml", b"hej", content_hash=content_hash(b"hej")).json()
    assert (server.folder / "A" / "b.xml").read_bytes() == b"hej"
    found = client.look("/a/B.XML").json()
    assert found == {".tag": "file", **stored}
    assert client.look("/a").json()[".tag"] == "folder"
    assert summary(client.look("/a/c")) == (409, "path/not_found/...")
    assert client.look("").status_code == 400


def test_the_same_content_is_no_conflict_unless_that_is_asked_for(client):
    first = client.upload("/a", b"1").json()
    assert client.upload("/a", b"1").json() == first
    assert summary(client.upload("/a", b"1", strict_conflict=True)) == (409, "path/conflict/file/...")
    assert summary(client.upload("/a", b"2")) == (409, "path/conflict/file/...")
    assert client.upload("/a", b"2", mode="overwrite").json()["rev"] != first["rev"]


def test_folders_and_files_do_not_take_each_others_place(client):
    client.upload("/a/b", b"1")
    assert summary(client.upload("/a", b"1", mode="overwrite")) == (409, "path/conflict/folder/...")
    assert summary(client.upload("/a/b/c", b"1")) == (409, "path/conflict/file_ancestor/...")


def test_no_path_leads_out_of_the_folder(server, client):
    assert client.upload("/../out", b"1").status_code == 400
    assert not (server.folder.parent / "out").exists()


def test_content_that_does_not_fit_its_hash_is_not_kept(server, client):
    assert summary(client.upload("/a", b"1", content_hash=content_hash(b"2"))) == (409, "content_hash_mismatch/...")
    assert list(server.folder.iterdir()) == []


def test_switches_make_it_fail(server, client):
    server.faults.out_of_space = True
    assert summary(client.upload("/a", b"1")) == (409, "path/insufficient_space/...")
    server.faults.rate_limited = 3
    answer = client.look("/a")
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "3")
    server.faults.revoked = True
    assert client.look("/a").status_code == 401 and client.renew().status_code == 400
    assert list(server.folder.iterdir()) == []


@pytest.mark.parametrize("fault", ["drop_after_upload", "half_answer", "fail_after_upload", "drop_in_body"])
def test_connections_break_before_and_after_a_file_is_kept(server, client, fault):
    setattr(server.faults, fault, True)
    if fault == "fail_after_upload":
        assert client.upload("/a", b"123456").status_code == 500
    else:
        with pytest.raises(requests.RequestException):
            client.upload("/a", b"123456")
    assert (server.folder / "a").exists() is (fault != "drop_in_body")


def test_a_call_that_makes_no_sense_is_answered_in_plain_text(client):
    for answer in (client.call("files/get_metadata", b"{"), client.call("files/upload", b"x"), client.look("a")):
        assert answer.status_code == 400 and answer.text.startswith("Error in call to API function")
    assert client.call("files/delete_v2").status_code == 404
