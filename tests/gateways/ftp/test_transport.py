"""What goes wrong at a server, told apart by what the receiver can have."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest
from support.outbound import LOOPBACK

from invoiceapp.gateways.base import STRICT, Payload, Refused, Rejected, Unavailable, Unknown
from invoiceapp.gateways.ftp import FtpTransport, client, transport

pytestmark = pytest.mark.server

NAME = "invoice_2026-17_mfrggzdf.xml"
PART = f".mfrggzdf.{NAME}.part"
BIG = Payload(b"<a/>" * 2_000_000, "invoice.xml", "application/xml")


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "STEP", 0.3)
    monkeypatch.setattr(client, "_EXPLANATION", 0.3)


@pytest.fixture
def silent_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


def send(server, one, **changes):
    with FtpTransport(server.config(**changes), LOOPBACK) as gateway:
        return gateway.send(one)


def files(server):
    return {path.name: path.read_bytes() for path in server.inbox.iterdir()}


def test_without_encryption_it_works_where_the_user_wants_that(faulty, consignment):
    one = consignment()
    receipt = send(faulty, one)
    assert files(faulty) == {NAME: one.payload.content}
    assert receipt.evidence["encryption"] == ""
    assert receipt.evidence["proved_by"] == "SIZE"


def test_explicit_encryption_covers_commands_and_data(start_faulty, consignment):
    server = start_faulty(tls=True)
    assert send(server, consignment()).evidence["encryption"].startswith("TLSv1.")
    commands = server.seen
    assert commands[0] == "AUTH"
    assert commands.index("AUTH") < commands.index("USER") < commands.index("PROT") < commands.index("STOR")


@pytest.mark.parametrize("command", ["AUTH", "PBSZ", "PROT"])
def test_a_server_that_will_not_encrypt_all_is_refused(start_faulty, consignment, command):
    server = start_faulty(tls=True)
    server.faults.replies[command] = "504 no"
    with pytest.raises(Refused) as caught:
        send(server, consignment())
    assert "kryptere" in caught.value.text.da
    assert files(server) == {}
    assert command != "AUTH" or "PASS" not in server.seen


def test_a_certificate_for_another_name_gets_no_password(start_faulty, consignment):
    server = start_faulty(tls=True)
    with pytest.raises(Refused):
        send(server, consignment(), host="localhost")
    assert server.logins == []


def test_words_smuggled_in_before_the_encryption_count_for_nothing(start_faulty, consignment):
    server = start_faulty(tls=True)
    server.faults.instead["AUTH"] = "234 go on\r\n230 you are logged in"
    send(server, consignment())
    assert server.logins == ["invoices"]


def test_the_address_that_the_server_names_for_data_is_ignored(start_faulty, consignment):
    server = start_faulty(masquerade_address="10.9.8.7")
    send(server, consignment())
    assert NAME in files(server)


def test_an_ipv6_server_is_reached_for_data_too(start_faulty, consignment):
    try:
        server = start_faulty(host="::1")
    except OSError:
        pytest.skip("needs IPv6")
    send(server, consignment())
    assert "EPSV" in server.seen
    assert list(files(server)) == [NAME]


def test_data_go_through_the_guard(faulty, consignment, monkeypatch):
    asked = []
    original = type(LOOPBACK).connect

    def connect(self, host, port, deadline, usual=()):
        asked.append((host, port))
        return original(self, host, port, deadline, usual)

    monkeypatch.setattr(type(LOOPBACK), "connect", connect)
    send(faulty, consignment())
    assert [host for host, _ in asked] == ["127.0.0.1"] * 2
    assert asked[0][1] == faulty.port != asked[1][1]


def test_a_data_port_that_others_use_too_is_not_closed(faulty, consignment):
    faulty.faults.replies["PASV"] = "227 Entering passive mode (127,0,0,1,105,137)"
    with pytest.raises(Unavailable) as caught:
        send(faulty, consignment())
    assert "closed" in caught.value.detail, "nobody listens on 27017, but it was tried"


def test_a_data_port_of_another_service_is_closed(faulty, consignment):
    faulty.faults.replies["PASV"] = "227 Entering passive mode (127,0,0,1,0,25)"
    with pytest.raises(Refused):
        send(faulty, consignment())


def test_a_closed_network_is_not_connected_to(faulty, consignment):
    with FtpTransport(faulty.config(), STRICT) as gateway, pytest.raises(Refused) as caught:
        gateway.send(consignment())
    assert "OUTBOUND_NETWORKS" in caught.value.text.da
    assert faulty.seen == []


def test_many_sends_log_in_once_and_ask_whether_the_connection_lives(faulty, consignment):
    with FtpTransport(faulty.config(), LOOPBACK) as gateway:
        for number in range(4):
            gateway.send(consignment(document_no=str(number)))
    assert len(faulty.logins) == 1
    assert faulty.seen.count("NOOP") == 3


def test_a_connection_that_broke_between_sends_is_opened_anew(faulty, consignment):
    with FtpTransport(faulty.config(), LOOPBACK) as gateway:
        gateway.send(consignment(document_no="1"))
        faulty.faults.cut_before.add("NOOP")
        gateway.send(consignment(document_no="2"))
    assert len(faulty.logins) == 2
    assert len(files(faulty)) == 2


def test_a_wrong_password_is_refused_and_not_told(faulty, consignment):
    faulty.faults.replies["PASS"] = "530 Sorry, hemmelig-kode is no password for invoices"
    with pytest.raises(Refused) as caught:
        send(faulty, consignment(), password="hemmelig-kode")
    assert "530" in caught.value.detail
    assert "hemmelig" not in f"{caught.value} {caught.value.detail} {caught.value.text} {caught.value.__cause__}"


@pytest.mark.parametrize("reply", ["421 Too many connections", "450 not now"])
def test_a_server_that_has_no_place_is_tried_again(faulty, consignment, reply):
    faulty.faults.replies["USER"] = reply
    with pytest.raises(Unavailable):
        send(faulty, consignment())


def test_a_folder_that_may_only_be_read_is_refused(start_faulty, consignment):
    server = start_faulty(rights="elr")
    with pytest.raises(Refused) as caught:
        send(server, consignment())
    assert "skrive i mappen" in caught.value.text.da


def test_a_user_who_may_not_rename_has_delivered_nothing(start_faulty, consignment):
    server = start_faulty(rights="elrdwT")
    with pytest.raises(Refused) as caught:
        send(server, consignment())
    assert "omdøbe" in caught.value.text.da
    assert list(files(server)) == [PART]


@pytest.mark.parametrize("reply", ["552 Quota exceeded", "452 No space left"])
@pytest.mark.parametrize("when", ["replies", "instead"])
def test_no_room_is_tried_again_and_then_delivered(faulty, consignment, reply, when):
    getattr(faulty.faults, when)["STOR"] = reply
    with FtpTransport(faulty.config(), LOOPBACK) as gateway:
        with pytest.raises(Unavailable) as caught:
            gateway.send(consignment())
        assert "plads" in caught.value.text.da
        getattr(faulty.faults, when).clear()
        gateway.send(consignment())
    assert list(files(faulty)) == [NAME]


@pytest.mark.parametrize("tls", [False, True])
def test_no_room_in_the_middle_of_an_upload_is_told_from_a_broken_line(start_faulty, consignment, tls):
    server = start_faulty(tls=tls)
    server.faults.half_data = True
    server.faults.instead["STOR"] = "552 Quota exceeded"
    with pytest.raises(Unavailable) as caught:
        send(server, consignment(payload=BIG))
    assert "plads" in caught.value.text.da


def test_a_file_that_the_server_refuses_after_it_saw_it_is_rejected(faulty, consignment):
    faulty.faults.instead["STOR"] = "550 Virus detected and removed"
    with pytest.raises(Rejected) as caught:
        send(faulty, consignment())
    assert "550" in caught.value.text.da


@pytest.mark.parametrize("stage", ["cut_before", "cut_after"])
@pytest.mark.parametrize("command", ["USER", "PASS", "TYPE", "CWD", "SIZE", "PASV", "STOR", "RNFR"])
def test_a_connection_cut_before_the_final_name_is_no_delivery(faulty, consignment, command, stage):
    (faulty.inbox / "in").mkdir()
    getattr(faulty.faults, stage).add(command)
    with pytest.raises(Unavailable):
        send(faulty, consignment(), folder="in")
    assert not (faulty.inbox / "in" / NAME).exists()


@pytest.mark.parametrize("tls", [False, True])
def test_a_connection_cut_in_the_upload_is_no_delivery(start_faulty, consignment, tls):
    server = start_faulty(tls=tls)
    server.faults.cut_in_data = True
    with pytest.raises(Unavailable):
        send(server, consignment(payload=BIG))
    assert NAME not in files(server)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("command", ["USER", "SIZE", "PASV", "STOR", "RNFR"])
def test_a_server_that_falls_silent_before_the_final_name_is_given_up(faulty, consignment, command):
    faulty.faults.silent.add(command)
    with pytest.raises(Unavailable):
        send(faulty, consignment())


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("security", ["explicit", "implicit", "none"])
def test_a_server_that_never_greets_is_given_up(silent_port, consignment, security):
    config = {"host": "127.0.0.1", "port": silent_port, "username": "u", "password": "p", "security": security}
    with FtpTransport(config, LOOPBACK) as gateway, pytest.raises(Unavailable):
        gateway.send(consignment())


def test_a_used_up_deadline_is_no_delivery(faulty, consignment, monkeypatch):
    monkeypatch.setattr(FtpTransport, "DEADLINE", 0)
    with pytest.raises(Unavailable):
        send(faulty, consignment())
    assert faulty.logins == []


def test_a_reply_without_end_is_given_up(faulty, consignment):
    faulty.faults.replies["FEAT"] = "211-" + "x" * 5_000 + "\r\n more" * 20_000
    with pytest.raises(Unavailable):
        send(faulty, consignment())


def test_what_is_no_ftp_is_given_up(faulty, consignment):
    faulty.faults.replies["TYPE"] = "HTTP/1.1 400 Bad Request"
    with pytest.raises(Unavailable) as caught:
        send(faulty, consignment())
    assert "FTP-server" in caught.value.text.da


@pytest.mark.parametrize("existing", ["fail", "replace", "suffix"])
@pytest.mark.parametrize("fault", ["cut_after", "cut_before", "silent"])
@pytest.mark.usefixtures("impatient")
def test_a_lost_answer_to_the_final_name_is_unknown_and_a_retry_mends_it(faulty, consignment, fault, existing):
    getattr(faulty.faults, fault).add("RNTO")
    with FtpTransport(faulty.config(existing=existing), LOOPBACK) as gateway:
        with pytest.raises(Unknown):
            gateway.send(consignment())
        getattr(faulty.faults, fault).clear()
        receipt = gateway.send(consignment())
    assert receipt.evidence["already_there"] is (fault == "cut_after")
    assert files(faulty) == {NAME: consignment().payload.content}


def test_a_server_that_leaves_instead_of_naming_the_file_is_unknown(faulty, consignment):
    faulty.faults.instead["RNTO"] = "421 Closing, goodbye"
    with pytest.raises(Unknown):
        send(faulty, consignment())


@pytest.mark.parametrize(("reply", "kind"), [("550 Permission denied", Refused), ("451 Try later", Unavailable)])
def test_a_refused_final_name_is_no_delivery(faulty, consignment, reply, kind):
    faulty.faults.replies["RNTO"] = reply
    with pytest.raises(kind):
        send(faulty, consignment())
    assert list(files(faulty)) == [PART]


def test_a_part_file_that_somebody_took_is_unknown(faulty, consignment):
    faulty.faults.before["RNFR"] = (faulty.inbox / PART).unlink
    with pytest.raises(Unknown) as caught:
        send(faulty, consignment())
    assert "forsvandt" in caught.value.text.da


def test_half_a_file_that_the_server_calls_complete_is_noticed(faulty, consignment):
    faulty.faults.truncate = True
    with pytest.raises(Unavailable) as caught:
        send(faulty, consignment())
    assert "ikke hel" in caught.value.text.da
    assert NAME not in files(faulty)


@pytest.mark.parametrize("size", [10_000, 8_000_000])
@pytest.mark.parametrize("tls", [False, True])
def test_data_that_the_server_stops_reading_are_noticed_though_it_says_all_is_well(
    start_faulty, consignment, size, tls
):
    server = start_faulty(tls=tls)
    server.faults.half_data = True
    with pytest.raises(Unavailable):
        send(server, consignment(payload=Payload(b"x" * size, "invoice.xml", "application/xml")))
    assert NAME not in files(server)


@pytest.mark.parametrize(
    ("without", "proof"),
    [
        ((), "SIZE"), (("SIZE",), "MLST"), (("SIZE", "MLST"), "RETR"), (("SIZE", "MLST", "NLST"), "RETR"),
        (("SIZE", "MLST", "RETR"), ""),
    ],
)  # fmt: skip
def test_the_receipt_tells_what_proves_the_file_to_be_whole(faulty, consignment, without, proof):
    faulty.faults.replies.update(dict.fromkeys(without, "502 not implemented"))
    receipt = send(faulty, consignment(), existing="replace")
    assert receipt.evidence["proved_by"] == proof
    assert receipt.proves_arrival is bool(proof)
    assert files(faulty) == {NAME: consignment().payload.content}


@pytest.mark.parametrize("without", [("SIZE",), ("SIZE", "MLST"), ("SIZE", "MLST", "NLST")])
def test_half_a_file_is_noticed_by_servers_without_size_too(faulty, consignment, without):
    faulty.faults.replies.update(dict.fromkeys(without, "502 not implemented"))
    faulty.faults.truncate = True
    with pytest.raises(Unavailable):
        send(faulty, consignment(), existing="replace")


@pytest.mark.parametrize("reply", ["550 Permission denied", "502 not implemented"])
def test_where_nothing_can_be_seen_nothing_is_overwritten(faulty, consignment, reply):
    faulty.faults.replies.update(dict.fromkeys(("SIZE", "MLST", "NLST", "RETR"), reply))
    (faulty.inbox / NAME).write_bytes(b"other")
    with pytest.raises(Refused) as caught:
        send(faulty, consignment())
    assert "ikke se" in caught.value.text.da
    assert files(faulty)[NAME] == b"other"
    receipt = send(faulty, consignment(), existing="replace")
    assert (receipt.evidence["proved_by"], receipt.proves_arrival) == ("", False)
    assert files(faulty) == {NAME: consignment().payload.content}


def test_a_list_without_hidden_files_is_believed(faulty, consignment):
    faulty.faults.replies.update({"SIZE": "502 no", "MLST": "502 no"})
    (faulty.inbox / NAME).write_bytes(b"other")
    with pytest.raises(Rejected):
        send(faulty, consignment())
    assert send(faulty, consignment(), existing="suffix").reference == NAME.replace(".xml", "_2.xml")


def test_an_empty_list_is_an_empty_folder(faulty, consignment):
    faulty.faults.replies.update({"SIZE": "502 no", "MLST": "502 no", "NLST": "450 No files found"})
    send(faulty, consignment())
    assert list(files(faulty)) == [NAME]


@pytest.mark.parametrize("other", [b"short", None], ids=["other size", "same size, other bytes"])
def test_another_file_of_that_name_is_left_alone(faulty, consignment, other):
    content = other or b"?" * len(consignment().payload.content)
    (faulty.inbox / NAME).write_bytes(content)
    with pytest.raises(Rejected):
        send(faulty, consignment())
    assert files(faulty) == {NAME: content}
    assert "STOR" not in faulty.seen


def taken_as_the_settings_say(server, one, existing):
    """Send where another file takes the name meanwhile."""
    if existing == "fail":
        with pytest.raises(Rejected):
            send(server, one, existing=existing)
        assert files(server) == {NAME: b"other"}
        return
    receipt = send(server, one, existing=existing)
    other = {} if existing == "replace" else {NAME: b"other"}
    assert files(server) == other | {receipt.reference: one.payload.content}


@pytest.mark.parametrize("existing", ["fail", "replace", "suffix"])
def test_a_name_taken_during_the_upload_is_treated_as_the_settings_say(faulty, consignment, existing):
    faulty.faults.before["STOR"] = lambda: (faulty.inbox / NAME).write_bytes(b"other")
    taken_as_the_settings_say(faulty, consignment(), existing)


@pytest.mark.parametrize("existing", ["fail", "replace", "suffix"])
def test_a_server_that_does_not_overwrite_has_the_last_word(faulty, consignment, existing):
    """Between our last look and the rename the name is taken."""

    def take() -> None:
        (faulty.inbox / NAME).write_bytes(b"other")
        faulty.faults.replies["RNTO"] = "550 File exists"
        faulty.faults.before["RNFR"] = faulty.faults.replies.clear

    faulty.faults.before["RNTO"] = take
    taken_as_the_settings_say(faulty, consignment(), existing)


def test_a_retry_finds_its_file_under_a_later_name(faulty, consignment):
    (faulty.inbox / NAME).write_bytes(b"other")
    first = send(faulty, consignment(), existing="suffix")
    (faulty.inbox / NAME).unlink()
    second = send(faulty, consignment(), existing="suffix")
    assert first.reference == second.reference == NAME.replace(".xml", "_2.xml")
    assert second.evidence["already_there"] is True


def test_a_file_that_may_not_be_read_is_known_by_name_and_size(start_faulty, consignment):
    server = start_faulty(rights="eladfmwMT")
    send(server, consignment())
    receipt = send(server, consignment())
    assert (receipt.evidence["already_there"], receipt.evidence["proved_by"]) == (True, "SIZE")


def test_a_name_without_the_key_may_be_anybodys(start_faulty, consignment):
    server = start_faulty(rights="eladfmwMT")
    send(server, consignment(), filename="{number}")
    with pytest.raises(Rejected):
        send(server, consignment(), filename="{number}")


def test_a_receiver_that_takes_files_away_is_not_looked_at_before_the_upload(faulty, consignment):
    send(faulty, consignment(), consumes=True)
    commands = [command for command in faulty.seen if command in ("SIZE", "STOR", "RNFR", "RNTO", "RETR")]
    assert commands == ["STOR", "SIZE", "SIZE", "RNFR", "RNTO"]


def test_a_receiver_that_takes_files_away_still_keeps_another_file(faulty, consignment):
    (faulty.inbox / NAME).write_bytes(b"other")
    with pytest.raises(Rejected):
        send(faulty, consignment(), consumes=True)
    assert files(faulty) == {NAME: b"other"}


def test_the_pdf_is_there_before_the_document(faulty, consignment):
    seen = []
    faulty.faults.before["RNTO"] = lambda: faulty.faults.before.update(RNTO=lambda: seen.extend(files(faulty)))
    send(faulty, consignment(), with_pdf=True)
    assert NAME.replace(".xml", ".pdf") in seen
    assert NAME not in seen
    assert set(files(faulty)) == {NAME, NAME.replace(".xml", ".pdf")}


def test_a_lost_answer_to_the_name_of_the_pdf_is_no_delivery(faulty, consignment):
    faulty.faults.before["RNTO"] = lambda: faulty.faults.cut_after.add("RNTO")
    with pytest.raises(Unavailable):
        send(faulty, consignment(), with_pdf=True)
    faulty.faults.cut_after.clear()
    assert NAME not in files(faulty)
    send(faulty, consignment(), with_pdf=True)
    assert set(files(faulty)) == {NAME, NAME.replace(".xml", ".pdf")}


@pytest.mark.parametrize(
    ("reply", "without"), [("550 Permission denied", Refused), ("451 Try later", Unavailable), (None, Unavailable)]
)
@pytest.mark.parametrize("consumes", [True, False], ids=["consumes", "keeps"])
def test_a_pdf_without_its_document_is_unknown_where_files_are_taken_at_once(
    faulty, consignment, reply, without, consumes
):
    def for_the_document():
        if reply:
            faulty.faults.replies["RNFR"] = reply
        else:
            faulty.faults.cut_before.add("RNFR")

    # Once for the PDF, then for the document.
    faulty.faults.before["RNFR"] = lambda: faulty.faults.before.update(RNFR=for_the_document)
    with pytest.raises((Refused, Unavailable, Unknown)) as caught:
        send(faulty, consignment(), with_pdf=True, consumes=consumes)
    assert type(caught.value) is (Unknown if consumes else without)
    assert ("PDF" in caught.value.text.da) is consumes
    assert NAME.replace(".xml", ".pdf") in files(faulty)
    assert NAME not in files(faulty)


def test_a_lost_answer_to_the_name_of_the_pdf_is_unknown_where_files_are_taken_at_once(faulty, consignment):
    faulty.faults.cut_after.add("RNTO")
    with pytest.raises(Unknown) as caught:
        send(faulty, consignment(), with_pdf=True, consumes=True)
    assert "PDF" in caught.value.text.da
    assert NAME not in files(faulty)


def test_a_pdf_that_did_not_get_its_name_is_no_delivery_where_files_are_taken_at_once(faulty, consignment):
    faulty.faults.replies["RNTO"] = "451 Try later"
    with pytest.raises(Unavailable):
        send(faulty, consignment(), with_pdf=True, consumes=True)


def test_the_done_file_follows_the_document(faulty, consignment):
    receipt = send(faulty, consignment(), done_marker=True)
    assert files(faulty) == {NAME: consignment().payload.content, f"{NAME}.done": b""}
    assert receipt.evidence["done_marker"] == f"{NAME}.done"


def test_a_done_file_that_could_not_be_put_is_told_and_a_retry_puts_it(faulty, consignment):
    faulty.faults.before["RNTO"] = lambda: faulty.faults.cut_before.add("STOR")
    with pytest.raises(Unknown) as caught:
        send(faulty, consignment(), done_marker=True)
    assert f"{NAME}.done" in caught.value.text.da
    faulty.faults.cut_before.clear()
    assert send(faulty, consignment(), done_marker=True).evidence["already_there"] is True
    assert set(files(faulty)) == {NAME, f"{NAME}.done"}


def test_the_connection_test_renames_and_deletes_its_file(faulty):
    steps = FtpTransport(faulty.config(), LOOPBACK).check()
    assert all(step.ok for step in steps)
    assert "krypteres ikke" in steps[2].detail.da
    assert {"STOR", "RNTO", "DELE"} <= set(faulty.seen)
    assert files(faulty) == {}


def test_the_connection_test_says_what_stays_where_nothing_may_be_deleted(start_faulty):
    server = start_faulty(rights="elrfwT")
    last = FtpTransport(server.config(), LOOPBACK).check()[-1]
    assert last.ok
    assert next(iter(files(server))) in last.detail.da


def test_the_connection_test_tells_that_sizes_cannot_be_seen(faulty):
    faulty.faults.replies.update(dict.fromkeys(("SIZE", "MLST", "NLST", "RETR"), "502 no"))
    last = FtpTransport(faulty.config(), LOOPBACK).check()[-1]
    assert last.ok
    assert "størrelse" in last.detail.da


def test_the_connection_test_fails_where_nothing_may_be_renamed(start_faulty):
    server = start_faulty(rights="elrdwT")
    steps = FtpTransport(server.config(), LOOPBACK).check()
    assert [step.ok for step in steps] == [True] * 5 + [False]
    assert files(server) == {}
