"""Against the stand-in: sends, their faults, and what is never told."""

from __future__ import annotations

import contextlib
import logging
import socket
import ssl
import subprocess
import threading
from typing import Any

import pytest

from invoiceapp.demo.partners.dropbox_account import DEMO_APP_KEY, DEMO_APP_SECRET, DEMO_REFRESH_TOKEN
from invoiceapp.domain.delivery import Replay
from invoiceapp.domain.fields import parse_all
from invoiceapp.gateways.base import STRICT, Payload, Refused, Rejected, Unavailable, Unknown, registry
from invoiceapp.gateways.dropbox import TRANSPORT, DropboxTransport
from invoiceapp.gateways.dropbox.paths import content_hash

pytestmark = pytest.mark.server

NAME = "invoice_2026-17_mfrggzdf.xml"
#: More than the buffers between two sockets hold.
BIG = Payload(b"x" * 20_000_000, "x.xml", "application/xml")
UPLOAD, LOOK, TOKEN = "/2/files/upload", "/2/files/get_metadata", "/oauth2/token"


def lying(dropbox) -> dict[str, bytes]:
    return {str(p.relative_to(dropbox.folder)): p.read_bytes() for p in dropbox.folder.rglob("*") if p.is_file()}


def lay(dropbox, name: str, content: bytes) -> None:
    path = dropbox.folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def test_the_registry_finds_it():
    assert registry()["dropbox"] is TRANSPORT is DropboxTransport


def test_its_form_gives_the_defaults_and_dropboxs_own_addresses():
    values, errors = parse_all(DropboxTransport.fields, {"app_key": "abc"})
    assert errors == {} and DropboxTransport.problems(values, ()) == {}
    assert (values["folder"], values["existing"], values["connections"]) == ("/", "fail", 2)
    assert [values[name] for name in ("api_url", "content_url", "authorize_url")] == [
        "https://api.dropboxapi.com", "https://content.dropboxapi.com", "https://www.dropbox.com/oauth2/authorize",
    ]  # fmt: skip


@pytest.mark.parametrize("url", ["http://api.example.com", "http://127.0.0.1.example.com"])
def test_an_address_without_encryption_is_taken_on_this_machine_only(url):
    assert set(DropboxTransport.problems({"content_url": url}, ())) == {"content_url"}
    assert DropboxTransport.problems({"content_url": "http://127.0.0.1:1"}, ()) == {}


def test_secrets_are_kept_from_the_page_and_an_address_takes_them_along():
    fields = {field.name: field for field in DropboxTransport.fields}
    assert {name for name, field in fields.items() if field.secret} == {"app_secret", "refresh_token"}
    assert {name for name, field in fields.items() if field.is_address} == {"api_url", "content_url", "authorize_url"}


def test_a_retry_is_safe_and_nothing_ends():
    assert DropboxTransport({}).replay is Replay.SAFE
    assert DropboxTransport.expiries({}) == []
    assert DropboxTransport({}).host == "content.dropboxapi.com"


def test_the_file_is_laid_and_the_receipt_proves_it(dropbox, opened, consignment):
    one = consignment()
    receipt = opened().send(one)
    assert lying(dropbox) == {f"Fakturaer/{NAME}": one.payload.content}
    assert receipt.reference == f"/Fakturaer/{NAME}"
    assert receipt.proves_arrival and receipt.final
    expected = {
        "path": f"/Fakturaer/{NAME}",
        "sha256": one.payload.sha256,
        "content_hash": content_hash(one.payload.content),
        "size": len(one.payload.content),
        "already_there": False,
    }
    assert expected.items() <= receipt.evidence.items()
    assert {"id", "rev", "server_modified", "request_id"} <= set(receipt.evidence)


def test_one_access_token_serves_all_sends(dropbox, opened, consignment):
    transport = opened()
    for number in ("1", "2"):
        transport.send(consignment(document_no=number))
    assert dropbox.calls == [TOKEN, LOOK, UPLOAD, LOOK, UPLOAD]


def test_letters_beyond_ascii_and_folders_travel_whole(dropbox, opened, consignment):
    receipt = opened(folder="/Fakturaer på Ærø").send(consignment())
    assert receipt.reference == f"/Fakturaer på Ærø/{NAME}"
    assert list(lying(dropbox)) == [f"Fakturaer på Ærø/{NAME}"]


def test_a_file_of_several_blocks_is_recognised(dropbox, opened, consignment):
    one = consignment(payload=Payload(b"x" * (4 * 1024 * 1024 + 1), "big.xml", "application/xml"))
    assert opened().send(one).evidence["already_there"] is False
    assert opened().send(one).evidence["already_there"] is True


def test_the_pdf_lies_beside_it_where_wanted(dropbox, opened, consignment):
    opened(with_pdf=True).send(consignment())
    assert sorted(name.rpartition(".")[2] for name in lying(dropbox)) == ["pdf", "xml"]


def test_a_lost_answer_to_the_pdf_leaves_the_document_undelivered(dropbox, opened, consignment):
    dropbox.faults.drop_after_upload = True
    with pytest.raises(Unavailable):
        opened(with_pdf=True).send(consignment())
    assert [name.rpartition(".")[2] for name in lying(dropbox)] == ["pdf"]


def test_sending_again_finds_the_file_and_uploads_nothing(dropbox, opened, consignment):
    opened().send(consignment())
    dropbox.calls.clear()
    receipt = opened().send(consignment())
    assert receipt.evidence["already_there"] is True and UPLOAD not in dropbox.calls
    assert len(lying(dropbox)) == 1


@pytest.mark.parametrize(
    ("existing", "kind", "names"),
    [
        ("fail", Rejected, {NAME: b"other"}),
        ("replace", None, {NAME: None}),
        ("suffix", None, {NAME: b"other", NAME.replace(".xml", "_2.xml"): None}),
    ],
)
def test_another_file_of_that_name_meets_the_policy(dropbox, opened, consignment, existing, kind, names):
    one = consignment()
    lay(dropbox, f"Fakturaer/{NAME}", b"other")
    transport = opened(existing=existing)
    for _ in range(2):
        if kind:
            with pytest.raises(kind):
                transport.send(one)
        else:
            transport.send(one)
    expected = {f"Fakturaer/{name}": content or one.payload.content for name, content in names.items()}
    assert lying(dropbox) == expected


@pytest.mark.parametrize("existing", ["fail", "replace"])
def test_a_folder_of_that_name_is_never_replaced(dropbox, opened, consignment, existing):
    (dropbox.folder / "Fakturaer" / NAME).mkdir(parents=True)
    with pytest.raises(Rejected):
        opened(existing=existing).send(consignment())


def test_a_file_where_the_folder_should_be_is_our_setting(dropbox, opened, consignment):
    lay(dropbox, "Fakturaer", b"a file")
    with pytest.raises(Refused):
        opened().send(consignment())


def test_a_file_of_others_that_came_between_look_and_upload_is_left_alone(dropbox, opened, consignment, monkeypatch):
    transport = opened()
    look = transport._api.metadata

    def look_too_early(path: str, deadline: Any) -> Any:
        found = look(path, deadline)
        lay(dropbox, f"Fakturaer/{NAME}", b"other")
        return found

    monkeypatch.setattr(transport._api, "metadata", look_too_early)
    with pytest.raises(Rejected):
        transport.send(consignment())
    assert lying(dropbox) == {f"Fakturaer/{NAME}": b"other"}
    assert UPLOAD in dropbox.calls


def test_a_conflict_with_our_own_file_is_success(dropbox, opened, consignment, monkeypatch):
    transport, one = opened(), consignment()
    transport.send(one)
    looked = iter([None])
    real = transport._api.metadata
    monkeypatch.setattr(transport._api, "metadata", lambda path, d: next(looked, real(path, d)))
    monkeypatch.setattr(transport._api, "upload", lambda *_, **__: None)
    assert transport.send(one).evidence["already_there"] is True


def test_an_ended_access_token_is_renewed_once_and_the_file_goes(dropbox, opened, consignment):
    transport = opened()
    transport.send(consignment(document_no="1"))
    dropbox.expire_tokens()
    dropbox.calls.clear()
    transport.send(consignment(document_no="2"))
    assert dropbox.calls == [LOOK, TOKEN, LOOK, UPLOAD]


def test_a_token_that_ends_at_once_is_renewed_no_second_time(dropbox, opened, consignment):
    transport = opened()
    dropbox.faults.token_lifetime = -1
    with pytest.raises(Refused):
        transport.send(consignment())
    assert dropbox.calls == [TOKEN, LOOK, TOKEN, LOOK]


@pytest.mark.parametrize("when", ["before the first", "with a token in hand"])
def test_a_withdrawn_access_stops_the_gateway(dropbox, opened, consignment, when):
    transport = opened()
    if when != "before the first":
        transport.send(consignment(document_no="1"))
    dropbox.faults.revoked = True
    with pytest.raises(Refused) as caught:
        transport.send(consignment())
    assert "again" in caught.value.text.en


@pytest.mark.parametrize("changes", [{"refresh_token": None}, {"refresh_token": "S3CR3T"}, {"app_key": "other"}])
def test_a_gateway_that_was_not_let_in_says_so(dropbox, opened, consignment, changes):
    with pytest.raises(Refused):
        opened(**changes).send(consignment())
    assert lying(dropbox) == {} and LOOK not in dropbox.calls


def test_white_space_around_pasted_secrets_does_no_harm(opened, consignment):
    pasted = {"refresh_token": f" {DEMO_REFRESH_TOKEN}\n", "app_secret": f"{DEMO_APP_SECRET} "}
    assert opened(**pasted).send(consignment()).proves_arrival


def test_no_room_left_stops_the_gateway_and_leaves_nothing(dropbox, opened, consignment):
    dropbox.faults.out_of_space = True
    with pytest.raises(Refused) as caught:
        opened().send(consignment())
    assert "room" in caught.value.text.en and "plads" in caught.value.text.da
    assert lying(dropbox) == {}


def test_too_many_calls_wait_as_long_as_dropbox_asks(dropbox, opened, consignment):
    dropbox.faults.rate_limited = 17
    with pytest.raises(Unavailable) as caught:
        opened().send(consignment())
    assert caught.value.retry_after == 17
    assert lying(dropbox) == {}


@pytest.mark.parametrize("fault", ["drop_after_upload", "half_answer", "fail_after_upload"])
def test_a_lost_answer_is_unknown_and_the_next_try_finds_the_file(dropbox, opened, consignment, fault):
    setattr(dropbox.faults, fault, True)
    with pytest.raises(Unknown):
        opened().send(consignment())
    setattr(dropbox.faults, fault, False)
    assert opened().send(consignment()).evidence["already_there"] is True
    assert len(lying(dropbox)) == 1


def test_a_cut_in_the_middle_of_the_file_delivers_nothing(dropbox, opened, consignment):
    dropbox.faults.drop_in_body = True
    with pytest.raises(Unavailable):
        opened().send(consignment(payload=BIG))
    assert lying(dropbox) == {}


def test_an_answer_without_the_hash_is_unclear(dropbox, opened, consignment, monkeypatch):
    transport = opened()
    monkeypatch.setattr(transport._api, "metadata", lambda *_: None)
    transport._api.account(transport._deadline())
    dropbox.faults.instead = (200, {}, b"<html>a proxy</html>")
    with pytest.raises(Unknown):
        transport.send(consignment())


def test_a_page_instead_of_dropboxs_answer_delivers_nothing(dropbox, opened, consignment):
    dropbox.faults.instead = (200, {}, b"<html>Log in to the wi-fi</html>")
    with pytest.raises(Unavailable):
        opened().send(consignment())
    assert UPLOAD not in dropbox.calls


def test_the_access_token_is_kept_for_a_batch_and_no_connection_is(dropbox, opened, consignment):
    """An answer that comes twice would be taken for the next document's."""
    before, transport = dropbox.accepted, opened()
    for number in "123":
        transport.send(consignment(document_no=number))
    assert dropbox.accepted - before == len(dropbox.calls) and dropbox.calls.count(UPLOAD) == 3


def test_a_cut_before_the_file_delivers_nothing(dropbox, opened, consignment, proxy):
    between = proxy(dropbox.port, 100)
    with pytest.raises(Unavailable):
        opened(content_url=f"http://127.0.0.1:{between.port}").send(consignment(payload=BIG))
    assert lying(dropbox) == {}


@pytest.mark.usefixtures("impatient")
def test_a_small_file_that_the_network_swallowed_is_never_called_undelivered_or_sent_twice(
    dropbox, opened, consignment, proxy
):
    between = proxy(dropbox.port, 100, stall=True)
    with pytest.raises(Unknown):
        opened(content_url=f"http://127.0.0.1:{between.port}").send(consignment())
    opened().send(consignment())
    assert len(lying(dropbox)) == 1


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("name", ["api_url", "content_url"])
def test_a_silent_server_is_given_up(dropbox, opened, consignment, name):
    # What is asked of the API holds no document; a file that the network took may have arrived.
    kind = Unavailable if name == "api_url" else Unknown
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(kind):
        opened(**{name: f"http://127.0.0.1:{silent.getsockname()[1]}"}).send(consignment())
    assert lying(dropbox) == {}


def test_nobody_there_is_unavailable_and_an_inner_address_refused(dropbox, settings, opened, consignment):
    with socket.create_server(("127.0.0.1", 0)) as gone:
        url = f"http://127.0.0.1:{gone.getsockname()[1]}"
    with pytest.raises(Unavailable):
        opened(content_url=url).send(consignment())
    with DropboxTransport(settings, STRICT) as strict, pytest.raises(Refused):
        strict.send(consignment())
    assert dropbox.calls == [TOKEN, LOOK]


def test_no_invoice_goes_over_a_connection_that_nobody_vouches_for(opened, consignment, self_signed):
    with pytest.raises(Refused):
        opened(content_url=self_signed).send(consignment())


@pytest.fixture
def self_signed(tmp_path):
    """The address of a server with a certificate of its own making."""
    key, certificate = tmp_path / "key", tmp_path / "certificate"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj",
         "/CN=127.0.0.1", "-keyout", key, "-out", certificate], check=True, capture_output=True,
    )  # fmt: skip
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    listener = socket.create_server(("127.0.0.1", 0))

    def greet() -> None:
        client, _ = listener.accept()
        with client, contextlib.suppress(OSError):
            context.wrap_socket(client, server_side=True).close()

    thread = threading.Thread(target=greet)
    thread.start()
    yield f"https://127.0.0.1:{listener.getsockname()[1]}"
    listener.close()
    thread.join(5)


def test_secrets_are_in_no_error_log_or_receipt(dropbox, opened, consignment, caplog):
    caplog.set_level(logging.DEBUG)
    secrets = {"refresh_token": "S3CR3T-refresh", "app_secret": "S3CR3T-app"}
    told = []
    for changes in (secrets, {"app_secret": "S3CR3T-app"}, {"content_url": "http://127.0.0.1:1"}):
        with pytest.raises((Refused, Unavailable)) as caught:
            opened(**changes).send(consignment())
        told.append(f"{caught.value!r} {caught.value.text} {caught.value.detail} {caught.value.__context__!r}")
    transport = opened()
    told.append(str(transport.send(consignment())))
    token = transport._api._token.access
    dropbox.faults.instead = (400, {}, f"Bad header: Bearer {token}".encode())
    with pytest.raises(Rejected) as caught:
        transport.send(consignment())
    told.append(f"{caught.value!r} {caught.value.text} {caught.value.detail} {transport._api._token!r} {transport!r}")
    everything = " ".join(told) + caplog.text
    assert [word for word in ("S3CR3T", token, DEMO_REFRESH_TOKEN) if word in everything] == []
    assert DEMO_APP_KEY not in caplog.text
