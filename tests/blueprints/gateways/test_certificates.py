from __future__ import annotations

import io
import re
from datetime import timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from flask.testing import FlaskClient
from support.certified import Certified, certificate, elliptic, key, key_pem, p12, pem

from invoiceapp.gateways.base import registry
from invoiceapp.models import Gateway, Subscription, db, new_id, utcnow
from invoiceapp.services import secrets
from invoiceapp.services.configuration import certificate_files, certificates, gateways

SOON = (utcnow().date() + timedelta(days=14)).isoformat()


@pytest.fixture
def row(monkeypatch: pytest.MonkeyPatch, subscription: Subscription) -> Gateway:
    monkeypatch.setitem(registry(), "certified", Certified)
    # Quicker to make.
    monkeypatch.setattr(certificate_files, "_KEY_BITS", 2048)
    row = Gateway(
        id=new_id(), subscription_id=subscription.id, name="AS2 til Øl & Vin", kind="certified",
        config={"auth": "all"}, secrets={},
    )  # fmt: skip
    db.session.add(row)
    db.session.commit()
    return row


@pytest.fixture
def post(submit: Any, signed_in: FlaskClient, row: Gateway) -> Any:
    """``post(name, action, client=…, **form)``: as the page's forms do it, with the present version."""

    def do(name: str, action: str, client: FlaskClient = signed_in, **form: Any) -> Any:
        path = f"/gateways/{row.id}/certificates/{name}/{action}"
        data = {"version": gateways.version(row), **form}
        return submit(client, path, data, content_type="multipart/form-data", follow_redirects=True)

    return do


def access_point(subscription: Subscription, kind: str) -> Gateway:
    """One whose certificate is to come."""
    row = Gateway(id=new_id(), subscription_id=subscription.id, name="AS4", kind=kind, config={}, secrets={})
    db.session.add(row)
    db.session.commit()
    return row


def file(content: bytes, name: str = "partner.cer") -> Any:
    return io.BytesIO(content), name


def stored(row: Gateway) -> Gateway:
    return db.session.get_one(Gateway, row.id, populate_existing=True)


def page_of(client: FlaskClient, row: Gateway) -> str:
    return client.get(f"/gateways/{row.id}/certificates").text


def test_an_empty_gateway_says_what_to_do_first(signed_in: FlaskClient, row: Gateway) -> None:
    page = page_of(signed_in, row)
    assert "Our certificate" in page and "Client certificate" in page and "Their certificate" in page
    assert "Make a certificate, or import one" in page
    assert "Ask the partner for its certificate" in page
    assert "Use it from" not in page, "the first one is in use at once"


def test_a_made_certificate_is_shown_with_all_that_people_compare(post: Any, row: Gateway) -> None:
    page = post("own", "make").text
    found = certificates.find(stored(row), "own").in_use
    assert found is not None
    for words in (
        found.fingerprint,
        found.serial,
        "Download .cer",
        "Send its file to the partner",
        "AS2 til Øl &amp; Vin",
    ):
        assert words in page, words
    assert "The certificate is made" in page


def test_the_next_certificate_comes_with_its_steps_and_its_day(post: Any, row: Gateway) -> None:
    post("own", "make")
    page = post("own", "make", switch_on=SOON).text
    assert "Wait for their confirmation" in page and "Next, from" in page
    assert page.count("Download .cer") == 2
    page = post("own", "switch").text
    assert "is in use now" in page and "Old, until" in page and "Remove the old certificate" in page
    page = post("own", "remove").text
    assert "The certificate is removed" in page and "Old, until" not in page


@pytest.mark.parametrize(
    ("form", "field", "words"),
    [
        ({"switch_on": "2020-01-01"}, "own-make-switch_on", "Choose a day after today"),
        ({"switch_on": ""}, "own-make-switch_on", "Choose the day"),
    ],
)
def test_a_wrong_day_is_told_at_its_field(
    post: Any, row: Gateway, form: dict[str, str], field: str, words: str
) -> None:
    post("own", "make")
    answer = post("own", "make", **form)
    assert answer.status_code == 422 and words in answer.text
    assert f'href="#{field}"' in answer.text and f'id="{field}"' in answer.text
    assert re.search(rf'id="{field}"[^>]*aria-invalid="true"', answer.text)


def test_it_asks_before_a_next_certificate_is_replaced(post: Any, row: Gateway) -> None:
    post("own", "make")
    post("own", "make", switch_on=SOON)
    answer = post("own", "make", switch_on=SOON)
    assert answer.status_code == 422 and 'href="#own-make-replace"' in answer.text
    assert post("own", "make", switch_on=SOON, replace="1").status_code == 200


def test_a_double_click_makes_one_certificate(post: Any, row: Gateway) -> None:
    version = gateways.version(row)
    post("own", "make", version=version)
    page = post("own", "make", version=version, switch_on=SOON).text
    assert "perhaps by a double click" in page
    assert certificates.find(stored(row), "own").waiting is None


@pytest.mark.parametrize("action", ["make", "switch", "remove"])
def test_a_form_without_version_changes_nothing(post: Any, row: Gateway, action: str) -> None:
    assert "was changed after you opened" in post("own", action, version="").text
    assert stored(row).secrets == {}


def test_downloads_hold_the_certificate_and_nothing_else(post: Any, signed_in: FlaskClient, row: Gateway) -> None:
    post("own", "make")
    made = x509.load_pem_x509_certificate(stored(row).config["own"].encode())
    until = made.not_valid_after_utc.date().isoformat()
    der = signed_in.get(f"/gateways/{row.id}/certificates/own.cer")
    assert der.data == made.public_bytes(Encoding.DER)
    assert der.headers["Content-Type"] == "application/pkix-cert"
    assert der.headers["Content-Disposition"] == f"attachment; filename=AS2-til-OEl-Vin-{until}.cer"
    text = signed_in.get(f"/gateways/{row.id}/certificates/own.pem")
    assert text.data == made.public_bytes(Encoding.PEM)
    assert text.headers["Content-Disposition"].endswith(f"-{until}.pem")


@pytest.mark.parametrize("what", ["own_key.pem", "own_key.cer", "partner.pem", "own_next.pem", "own.key", "own.p12"])
def test_nothing_else_can_be_downloaded(post: Any, signed_in: FlaskClient, row: Gateway, what: str) -> None:
    post("own", "make")
    assert signed_in.get(f"/gateways/{row.id}/certificates/{what}").status_code == 404


def test_the_partners_certificate_is_compared_then_kept(post: Any, row: Gateway) -> None:
    one = certificate("Partner A/S")
    page = post("partner", "upload", file=file(one.public_bytes(Encoding.DER))).text
    assert "Compare the fingerprint" in page and "Partner A/S" in page
    assert certificates.Shown("x", one, utcnow()).fingerprint in page
    assert not stored(row).config.get("partner"), "nothing is kept yet"
    version = re.search(r'name="version" value="([^"]+)"', page)
    text = re.search(r'name="text" value="([^"]+)"', page)
    assert version and text
    page = post("partner", "keep", version=version[1], text=text[1].replace("\n", "\r\n")).text
    assert "certificate is kept" in page
    assert x509.load_pem_x509_certificate(stored(row).config["partner"].encode()) == one


def test_a_pasted_certificate_is_as_good(post: Any, row: Gateway) -> None:
    assert "Compare the fingerprint" in post("partner", "upload", text=pem(certificate("a")).decode()).text


def test_the_partners_next_certificate_asks_for_its_day(post: Any, row: Gateway) -> None:
    first, second = (pem(certificate(name)).decode() for name in ("p1", "p2"))
    post("partner", "keep", text=first)
    assert "Use it from" in post("partner", "upload", text=second).text
    answer = post("partner", "keep", text=second, switch_on="2020-01-01")
    assert answer.status_code == 422 and 'href="#keep-switch_on"' in answer.text and "Compare" in answer.text
    page = post("partner", "keep", text=second, switch_on=SOON).text
    assert "Around that day both are accepted" in page


def test_a_double_click_on_keep_keeps_one(post: Any, row: Gateway) -> None:
    version, text = gateways.version(row), pem(certificate("p1")).decode()
    post("partner", "keep", version=version, text=text)
    assert "perhaps by a double click" in post("partner", "keep", version=version, text=text).text
    assert certificates.find(stored(row), "partner").waiting is None


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "Choose a file"),
        (b"Dear customer", "no certificate"),
        (b"x" * 200_000, "too large"),
        (certificate("a").public_bytes(Encoding.DER)[:400], "no certificate"),
        (key_pem(key("a"), b"pw"), "private key"),
        (pem(certificate("ec", elliptic())), "It must be RSA."),
    ],
    ids=["nothing", "text", "large", "half", "encrypted key", "elliptic"],
)
def test_a_bad_upload_is_told_at_its_field(post: Any, row: Gateway, content: bytes, words: str) -> None:
    answer = post("partner", "upload", file=file(content))
    assert answer.status_code == 422 and words in answer.text
    assert 'href="#partner-upload-file"' in answer.text
    assert answer.text.count('id="partner-upload-file"') == 1
    assert "PRIVATE KEY" not in answer.text


def test_what_the_form_of_the_second_step_was_made_to_say_is_read_again(post: Any, row: Gateway) -> None:
    answer = post("partner", "keep", text=key_pem(key("a")).decode())
    assert answer.status_code == 422 and "PRIVATE KEY" not in answer.text
    assert not stored(row).config.get("partner")


def test_a_paste_without_end_is_refused(submit: Any, signed_in: FlaskClient, row: Gateway) -> None:
    form = {"version": gateways.version(row), "text": "x" * 5_000_000}
    assert submit(signed_in, f"/gateways/{row.id}/certificates/partner/upload", form).status_code == 413


def test_a_pair_is_imported_and_its_secrets_are_never_shown(post: Any, signed_in: FlaskClient, row: Gateway) -> None:
    content = p12(key("own"), certificate("own"), certificate("root"), password=b"H3mmelig")
    page = post("own", "import", file=file(content, "own.p12"), password="H3mmelig").text
    assert "are imported" in page and "1 other certificate" in page
    for shown in (page, page_of(signed_in, row), signed_in.get(f"/gateways/{row.id}").text):
        assert "PRIVATE KEY" not in shown and "H3mmelig" not in shown
        assert stored(row).secrets["own_key"] not in shown
    sealed = stored(row).secrets["own_key"]
    assert "PRIVATE KEY" in secrets.decrypt(sealed, f"gateway/{row.id}/own_key")


@pytest.mark.parametrize(
    ("content", "password", "words"),
    [
        (p12(key("a"), None, certificate("b")), "hemmelig", "does not belong"),
        (p12(key("a"), certificate("a")), "F0rkert", "password does not fit"),
        (p12(one := elliptic(), certificate("ec", one)), "hemmelig", "too weak or of another kind"),
        (b"text", "hemmelig", "no .p12"),
        (pem(certificate("a")) + key_pem(key("b")), "hemmelig", "does not belong"),
        (pem(certificate("a")) + key_pem(key("a"), b"hemmelig"), "F0rkert", "password does not fit"),
    ],
    ids=["mismatch", "wrong password", "elliptic", "text", "pem mismatch", "pem wrong password"],
)
def test_a_bad_pair_is_told_at_its_field_and_the_password_not_shown(
    post: Any, row: Gateway, content: bytes, password: str, words: str
) -> None:
    answer = post("own", "import", file=file(content, "x.p12"), password=password)
    assert answer.status_code == 422 and words in answer.text
    assert 'href="#own-import-file"' in answer.text and password not in answer.text
    assert "PRIVATE KEY" not in answer.text


def test_a_pem_file_is_known_by_what_it_holds_and_not_by_its_name(post: Any, row: Gateway) -> None:
    content = pem(certificate("own")) + key_pem(key("own"), b"H3mmelig")
    page = post("own", "import", file=file(content, "own.p12"), password="H3mmelig").text
    assert "are imported" in page and "PRIVATE KEY" not in page and "H3mmelig" not in page
    assert "PRIVATE KEY" in secrets.decrypt(stored(row).secrets["own_key"], f"gateway/{row.id}/own_key")


@pytest.mark.parametrize("kind", ["nemhandel", "peppol"])
def test_what_an_authority_issues_is_uploaded_and_neither_made_nor_sent_to_a_partner(
    submit: Any, signed_in: FlaskClient, subscription: Subscription, kind: str
) -> None:
    row = access_point(subscription, kind)

    def post(action: str, **form: Any) -> Any:
        data = {"version": gateways.version(stored(row)), **form}
        path = f"/gateways/{row.id}/certificates/own_certificate/{action}"
        return submit(signed_in, path, data, content_type="multipart/form-data", follow_redirects=True)

    def upload(name: str, ends: int, **form: Any) -> str:
        content = pem(certificate(name, ends=ends)) + key_pem(key(name))
        return str(post("import", file=file(content, "issued.pem"), **form).text)

    pages = [
        page_of(signed_in, row), upload("POP000001", 400), upload("POP000003", 800, switch_on=SOON),
        upload("POP000005", 800, switch_on=SOON), post("switch").text, post("remove").text,
    ]  # fmt: skip
    said = (
        "that the authority gave you", "When the authority issues the next one", "Have it changed in the register on",
        "The one that waits now is deleted", "Old, until", "When the authority issues the next one",
    )  # fmt: skip
    for page, words in zip(pages, said, strict=True):
        assert words in page
        main = page.partition("<main")[2]
        assert "three years" not in main and "partner" not in main and "/make" not in main
    assert "Upload the certificate" in pages[0] and "Upload the next certificate" in pages[1]
    assert post("make").status_code == 404
    assert "Upload the certificate" in signed_in.get(f"/gateways/{row.id}").text


@pytest.mark.parametrize(
    ("ends", "words"), [(5, "get the next one from the authority"), (-1, "Get one that can be used")]
)
def test_an_issued_certificate_that_ends_is_got_from_its_authority(
    signed_in: FlaskClient, subscription: Subscription, ends: int, words: str
) -> None:
    row = access_point(subscription, "peppol")
    row.config = {**row.config, "own_certificate": pem(certificate("a", ends=ends)).decode()}
    row.secrets = {"own_key": secrets.encrypt(key_pem(key("a")).decode(), f"gateway/{row.id}/own_key")}
    db.session.commit()
    assert words in page_of(signed_in, row)


def test_a_pair_that_does_not_fit_and_an_old_certificate_are_warned_of(signed_in: FlaskClient, row: Gateway) -> None:
    row.config = {
        **row.config,
        "own": pem(certificate("a")).decode(),
        "partner": pem(certificate("b", ends=-3)).decode(),
    }
    row.secrets = {"own_key": secrets.encrypt(key_pem(key("c")).decode(), f"gateway/{row.id}/own_key")}
    db.session.commit()
    page = page_of(signed_in, row)
    assert "belongs to another certificate" in page and "The certificate has expired" in page
    assert "Cannot be used" in signed_in.get(f"/gateways/{row.id}").text


def test_names_in_certificates_are_text(signed_in: FlaskClient, row: Gateway) -> None:
    row.config = {**row.config, "partner": pem(certificate("<script>x</script>")).decode()}
    db.session.commit()
    page = page_of(signed_in, row)
    assert "<script>x" not in page and "&lt;script&gt;x" in page


def test_other_certificates_lead_to_their_field(signed_in: FlaskClient, row: Gateway) -> None:
    row.config = {**row.config, "root": pem(certificate("Rod")).decode()}
    db.session.commit()
    assert f'href="/gateways/{row.id}#field-root"' in page_of(signed_in, row)


def test_the_gateways_page_leads_here(signed_in: FlaskClient, row: Gateway, gateway: Gateway) -> None:
    link = "/certificates"
    assert f'href="/gateways/{row.id}{link}"' in signed_in.get(f"/gateways/{row.id}").text
    assert link not in signed_in.get(f"/gateways/{gateway.id}").text


def test_where_the_settings_use_no_certificate_the_page_says_so(
    monkeypatch: pytest.MonkeyPatch, signed_in: FlaskClient, row: Gateway
) -> None:
    monkeypatch.setattr(Certified, "key_pairs", Certified.key_pairs[1:])
    monkeypatch.setattr(Certified, "partner_certificates", ())
    row.config = {"auth": "none"}
    db.session.commit()
    assert "No certificate is used" in page_of(signed_in, row)
    assert "/certificates" not in signed_in.get(f"/gateways/{row.id}").text


def test_a_kind_without_certificates_has_no_such_page(signed_in: FlaskClient, gateway: Gateway) -> None:
    assert signed_in.get(f"/gateways/{gateway.id}/certificates").status_code == 404


@pytest.mark.parametrize("name", ["root", "auth", "own_next"])
def test_a_name_that_is_no_set_is_not_found(post: Any, row: Gateway, name: str) -> None:
    for action in ("make", "import", "upload", "keep", "switch", "remove"):
        assert post(name, action, text=pem(certificate("a")).decode()).status_code == 404, action


@pytest.mark.parametrize(("who", "status"), [("member", 403), ("stranger", 404)])
def test_others_see_and_change_nothing(request: Any, post: Any, row: Gateway, who: str, status: int) -> None:
    certificates.make(row.id, "own", certificates.Choice(gateways.version(row)), "bo@example.com")
    before = gateways.version(stored(row))
    client = request.getfixturevalue(who)
    for path in ("", "/own.cer", "/own.pem"):
        assert client.get(f"/gateways/{row.id}/certificates{path}").status_code == status, path
    for action in ("make", "import", "upload", "keep", "switch", "remove"):
        assert post("own", action, client).status_code == status, action
    assert gateways.version(stored(row)) == before


def test_without_the_token_of_the_page_nothing_is_done(signed_in: FlaskClient, row: Gateway) -> None:
    form = {"version": gateways.version(row)}
    assert signed_in.post(f"/gateways/{row.id}/certificates/own/make", data=form).status_code == 400
    assert stored(row).secrets == {}
