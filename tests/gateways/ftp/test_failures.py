"""Every failure of the library and every reply becomes exactly one of the four errors."""

from __future__ import annotations

import ftplib
import ssl

import pytest

from invoiceapp.gateways.base import Refused, Rejected, Unavailable, Unknown
from invoiceapp.gateways.file_drop import lost_rename
from invoiceapp.gateways.ftp.failures import Stage, during, is_no, meaning, rename_refused
from invoiceapp.outbound.errors import OutboundError, Reason

BREAKS = [
    EOFError(),
    TimeoutError(),
    ConnectionResetError(),
    BrokenPipeError(),
    ssl.SSLEOFError(8, "EOF occurred in violation of protocol"),
    ftplib.error_proto("garbage"),
    ftplib.error_reply("200 what?"),
    OutboundError(Reason.NAME_UNKNOWN),
    OutboundError(Reason.CLOSED),
    ValueError("no number"),
    AttributeError("'NoneType'"),
]


@pytest.mark.parametrize("stage", Stage)
@pytest.mark.parametrize("error", BREAKS, ids=repr)
def test_whatever_breaks_before_the_final_name_is_no_delivery(error, stage):
    assert type(meaning(error, stage, "/in")) is Unavailable


@pytest.mark.parametrize("stage", Stage)
@pytest.mark.parametrize("code", [421, 425, 426, 450, 451, 452])
def test_what_the_server_cannot_do_just_now_is_tried_again(code, stage):
    assert type(meaning(ftplib.error_temp(f"{code} later"), stage)) is Unavailable


@pytest.mark.parametrize(
    "error", [OutboundError(Reason.BLOCKED_ADDRESS), OutboundError(Reason.CERTIFICATE), OutboundError(Reason.TLS)]
)
def test_what_only_the_settings_can_change_is_refused(error):
    assert type(meaning(error, Stage.GREETING)) is Refused


@pytest.mark.parametrize(
    ("stage", "code", "kind", "word"),
    [
        (Stage.GREETING, 500, Unavailable, "ikke tage imod"),
        (Stage.ENCRYPTION, 500, Refused, "kryptere"),
        (Stage.ENCRYPTION, 530, Refused, "kryptere"),
        (Stage.ENCRYPTION, 431, Unavailable, "ikke tage imod"),
        (Stage.LOGIN, 530, Refused, "login"),
        (Stage.LOGIN, 430, Refused, "login"),
        (Stage.LOGIN, 500, Refused, "login"),
        (Stage.FOLDER, 550, Refused, "Mappen »/in«"),
        (Stage.WRITE, 550, Refused, "skrive i mappen »/in«"),
        (Stage.WRITE, 553, Refused, "skrive i mappen »/in«"),
        (Stage.WRITE, 522, Refused, "kryptere"),
        (Stage.CONTENT, 522, Refused, "kryptere"),
        (Stage.WRITE, 530, Refused, "login"),
        (Stage.WRITE, 552, Unavailable, "plads"),
        (Stage.CONTENT, 552, Unavailable, "plads"),
        (Stage.CONTENT, 452, Unavailable, "plads"),
        (Stage.CONTENT, 550, Rejected, "afviste filen"),
        (Stage.CONTENT, 553, Refused, "filer med det navn"),
        (Stage.RENAME, 550, Refused, "skrive"),
    ],
)  # fmt: skip
def test_what_a_no_means_depends_on_what_was_asked(stage, code, kind, word):
    error = meaning((ftplib.error_temp if code < 500 else ftplib.error_perm)(f"{code} no"), stage, "/in")
    assert type(error) is kind
    assert word in error.text.da
    assert f"{code} no" in error.detail


@pytest.mark.parametrize("error", [*BREAKS, ftplib.error_temp("421 goodbye")], ids=repr)
def test_a_rename_without_an_answer_is_unknown(error):
    assert not is_no(error)
    assert type(lost_rename(error)) is Unknown


@pytest.mark.parametrize(("reply", "kind"), [("550 no", Refused), ("553 no", Refused), ("450 busy", Unavailable)])
def test_a_refused_name_is_no_delivery(reply, kind):
    assert is_no(ftplib.error_perm(reply))
    assert type(rename_refused(reply)) is kind


def test_an_error_of_the_contract_stays_what_it_is():
    error = Rejected(lost_rename(EOFError()).text)
    with pytest.raises(Rejected) as caught, during(Stage.LOOK):
        raise error
    assert caught.value is error
