"""What each answer means, without a server."""

from __future__ import annotations

import json
from typing import Any

import pytest

from invoiceapp.gateways.base import Refused, Rejected, Unavailable, Unknown
from invoiceapp.gateways.dropbox.failures import lost, refusal, tags
from invoiceapp.outbound.errors import OutboundError, Reason, Sent
from invoiceapp.outbound.http import Answer


def answer(status: int, error: Any = None, **headers: str) -> Answer:
    body = json.dumps({"error_summary": "x", "error": error}) if error is not None else "Sorry: Bearer sl.secret"
    return Answer(status, {name.replace("_", "-"): value for name, value in headers.items()}, body.encode())


def write_error(tag: str, **more: Any) -> dict[str, Any]:
    return {".tag": "path", "reason": {".tag": tag, **more}, "upload_session_id": "AA"}


@pytest.mark.parametrize(
    ("status", "error", "kind"),
    [
        (401, {".tag": "invalid_access_token"}, Refused),
        (401, {".tag": "user_suspended"}, Refused),
        (401, {".tag": "missing_scope", "required_scope": "files.content.write"}, Refused),
        (401, None, Refused),
        (403, {".tag": "other"}, Refused),
        (404, None, Refused),
        (302, None, Refused),
        (400, None, Rejected),
        (418, None, Rejected),
        (409, write_error("insufficient_space"), Refused),
        (409, write_error("no_write_permission"), Refused),
        (409, write_error("team_folder"), Refused),
        (409, write_error("conflict", conflict={".tag": "file_ancestor"}), Refused),
        (409, write_error("disallowed_name"), Rejected),
        (409, write_error("malformed_path", malformed_path=None), Rejected),
        (409, {".tag": "payload_too_large"}, Rejected),
        (409, {".tag": "content_hash_mismatch"}, Unavailable),
        (409, write_error("too_many_write_operations"), Unavailable),
        (409, {".tag": "something_new"}, Rejected),
        (409, None, Rejected),
        (429, {"reason": {".tag": "too_many_requests"}, "retry_after": 7}, Unavailable),
        (500, None, Unknown),
        (502, None, Unknown),
        (503, None, Unknown),
    ],
)
def test_an_answer_to_an_upload_means_one_thing(status, error, kind):
    found = refusal(answer(status, error), delivers=True)
    assert type(found) is kind
    assert "sl.secret" not in f"{found!r} {found} {found.detail} {found.text}"


@pytest.mark.parametrize("status", [500, 502, 503])
def test_nothing_is_unclear_where_only_a_question_was_asked(status):
    assert type(refusal(answer(status), delivers=False)) is Unavailable


@pytest.mark.parametrize(("stated", "seconds"), [("7", 7.0), ("soon", None), ("-1", None), ("", None)])
@pytest.mark.parametrize("status", [429, 503])
def test_the_time_that_dropbox_asks_for_is_kept(status, stated, seconds):
    found = refusal(answer(status, retry_after=stated), delivers=True)
    assert isinstance(found, Unavailable) and found.retry_after == seconds


def test_missing_permissions_and_a_withdrawn_access_are_told_apart():
    scope = refusal(answer(401, {".tag": "missing_scope"}), delivers=False)
    gone = refusal(answer(401, {".tag": "invalid_access_token"}), delivers=False)
    assert "files.content.write" in scope.text.en and "connect" in gone.text.en.lower()
    assert "files.content.write" not in gone.text.en


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"error": write_error("conflict", conflict={".tag": "file"})}, ("path", "conflict", "file")),
        ({"error": {".tag": "path", "path": {".tag": "not_found"}}}, ("path", "not_found")),
        ({"error": {"reason": {".tag": "too_many_requests"}}}, ("too_many_requests",)),
        ({"error": {".tag": "Bearer sl.secret"}}, ()),
        ({"error": "text"}, ()),
        ([], ()),
        (None, ()),
    ],
)
def test_tags_are_read_from_the_outside_in(body, expected):
    assert tags(Answer(409, {}, json.dumps(body).encode())) == expected


def test_an_error_that_contains_itself_ends():
    deep: dict[str, Any] = {}
    for _ in range(50):
        deep = {".tag": "a", "a": deep}
    assert len(tags(Answer(409, {}, json.dumps({"error": deep}).encode()))) == 5


@pytest.mark.parametrize(
    ("sent", "delivers", "kind"),
    [
        (Sent.NOTHING, True, Unavailable),
        (Sent.PART, True, Unavailable),
        (Sent.ALL, True, Unknown),
        (Sent.ALL, False, Unavailable),
    ],
)
def test_a_lost_answer_is_unknown_only_where_the_whole_file_had_left(sent, delivers, kind):
    assert type(lost(OutboundError(Reason.CUT, "x", sent=sent), delivers=delivers)) is kind
