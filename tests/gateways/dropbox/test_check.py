"""The connection test against the stand-in."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.server


def test_every_step_is_explained_and_nothing_is_written(dropbox, opened):
    steps = opened().check()
    assert [step.ok for step in steps] == [True] * 6
    assert "Demo Bogholder (bogholder@demo.example)" in steps[4].detail.da
    assert "første fil" in steps[5].detail.da and "Send en prøve" in steps[5].detail.da
    assert list(dropbox.folder.iterdir()) == []
    assert "/2/files/upload" not in dropbox.calls


@pytest.mark.parametrize(
    ("folder", "words"), [("/Fakturaer/{year}", "“/Fakturaer” exists"), ("/{year}", "top folder"), ("", "top folder")]
)
def test_the_part_of_the_folder_that_all_documents_share_is_looked_at(dropbox, opened, folder, words):
    (dropbox.folder / "Fakturaer").mkdir()
    assert words in opened(folder=folder).check()[-1].detail.en


def test_a_file_in_place_of_the_folder_fails(dropbox, opened):
    (dropbox.folder / "Fakturaer").write_bytes(b"x")
    step = opened().check()[-1]
    assert not step.ok and "not a folder" in step.detail.en


def test_a_gateway_that_is_not_connected_says_what_to_press(opened):
    steps = opened(refresh_token=None).check()
    assert [step.ok for step in steps] == [True] * 4 + [False]
    assert "“Connect”" in steps[-1].detail.en


def test_a_withdrawn_access_fails_at_the_login(dropbox, opened):
    dropbox.faults.revoked = True
    assert [step.ok for step in opened().check()] == [True] * 4 + [False]


def test_a_closed_port_ends_the_test_at_the_second_step(opened):
    assert [step.ok for step in opened(api_url="http://127.0.0.1:1").check()][-1:] == [False]
    steps = opened(content_url="http://127.0.0.1:2").check()
    assert [step.ok for step in steps] == [True, True, True, False]


def test_an_unencrypted_server_behind_https_fails_at_tls(dropbox, opened):
    steps = opened(api_url=dropbox.url.replace("http:", "https:")).check()
    assert [step.ok for step in steps] == [True, True, False]


def test_a_page_instead_of_the_account_is_no_login(dropbox, opened):
    dropbox.faults.instead = (200, {}, b"<html>Log in to the wi-fi</html>")
    step = opened().check()[-1]
    assert not step.ok and "proxy" in step.detail.en
