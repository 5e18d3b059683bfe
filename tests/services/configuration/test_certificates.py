from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from support.certified import Certified, certificate, elliptic, key, key_pem, p12, pem

from invoiceapp.domain.fields import FieldType
from invoiceapp.gateways.as2.certificates import keys_of
from invoiceapp.gateways.as4.keys import identity_of
from invoiceapp.gateways.base import registry
from invoiceapp.models import Event, Gateway, Subscription, db, new_id, utcnow
from invoiceapp.services import secrets
from invoiceapp.services.configuration import certificate_files, certificates, gateways
from invoiceapp.services.configuration.certificates import CertificateSet, Choice, NoSuchSet
from invoiceapp.services.errors import Conflict, InvalidInput

ACTOR = "bo@example.com"
TODAY = utcnow().date()
SOON = (TODAY + timedelta(days=14)).isoformat()


@pytest.fixture
def row(monkeypatch: pytest.MonkeyPatch, subscription: Subscription) -> Gateway:
    monkeypatch.setitem(registry(), "certified", Certified)
    # Quicker to make.
    monkeypatch.setattr(certificate_files, "_KEY_BITS", 2048)
    row = Gateway(
        id=new_id(), subscription_id=subscription.id, name="AS2 til Partner", kind="certified",
        config={"auth": "all"}, secrets={},
    )  # fmt: skip
    db.session.add(row)
    db.session.commit()
    return row


def access_point(subscription: Subscription, kind: str) -> Gateway:
    """One whose certificate is to come."""
    row = Gateway(id=new_id(), subscription_id=subscription.id, name="AS4", kind=kind, config={}, secrets={})
    db.session.add(row)
    db.session.commit()
    return row


def keep(row: Gateway, **values: Any) -> None:
    """Values by field, PEM bytes or text; secrets are sealed."""
    declared = {field.name: field for field in Certified.fields}
    for name, value in values.items():
        text = value.decode() if isinstance(value, bytes) else value
        if declared[name].secret:
            row.secrets = {**row.secrets, name: secrets.encrypt(text, f"gateway/{row.id}/{name}")}
        else:
            row.config = {**row.config, name: text}
    db.session.commit()


def choice(row: Gateway, switch_on: str = SOON, *, replace: bool = False) -> Choice:
    return Choice(gateways.version(row), switch_on, replace)


def make(row: Gateway, name: str = "own", **how: Any) -> CertificateSet:
    certificates.make(row.id, name, choice(row, **how), ACTOR)
    return certificates.find(row, name)


def subject(shown: certificates.Shown | None) -> str:
    assert shown is not None
    return shown.subject


def test_the_first_certificate_is_in_use_at_once(row: Gateway) -> None:
    found = make(row)
    assert subject(found.in_use) == "AS2 til Partner" and found.waiting is None
    assert found.in_use is not None and found.in_use.problem is None, "certificate and key fit"
    assert "own_on" not in row.config or row.config["own_on"] is None


def test_a_certificate_is_named_as_the_partner_knows_us(row: Gateway) -> None:
    row.config = {**row.config, "as2_from": "ACME-DK"}
    db.session.commit()
    assert subject(make(row).in_use) == "ACME-DK"


def test_the_key_is_stored_sealed_and_nowhere_else(row: Gateway) -> None:
    make(row)
    assert "PRIVATE" not in str(row.config) + str(row.secrets)
    clear = gateways.unsealed(row)
    private = load_pem_private_key(str(clear["own_key"]).encode(), None)
    assert x509.load_pem_x509_certificate(row.config["own"].encode()).public_key() == private.public_key()
    events = db.session.query(Event).filter_by(kind="gateway_certificate").all()
    assert "PRIVATE" not in str([one.data for one in events])


def test_the_second_one_waits_for_its_day(row: Gateway) -> None:
    first = make(row).in_use
    found = make(row)
    assert first is not None and found.in_use is not None and found.in_use.certificate == first.certificate
    assert found.waiting is not None and found.waiting.certificate != first.certificate
    assert found.waiting.problem is None
    assert found.switch_on == TODAY + timedelta(days=14)


@pytest.mark.parametrize(
    "day", ["", "soon", TODAY.isoformat(), "2020-01-01", (TODAY + timedelta(days=1200)).isoformat()]
)
def test_a_day_that_cannot_be_is_refused_and_nothing_changes(row: Gateway, day: str) -> None:
    make(row)
    before = gateways.version(row)
    with pytest.raises(InvalidInput) as refused:
        make(row, switch_on=day)
    assert list(refused.value.errors) == ["switch_on"]
    assert gateways.version(row) == before


def test_a_next_certificate_is_replaced_only_where_that_was_agreed_to(row: Gateway) -> None:
    make(row)
    waiting = make(row).waiting
    with pytest.raises(InvalidInput) as refused:
        make(row)
    assert list(refused.value.errors) == ["replace"]
    found = make(row, replace=True)
    assert found.waiting is not None and waiting is not None and found.waiting.certificate != waiting.certificate
    assert found.waiting.problem is None


def test_a_key_that_waits_for_its_certificate_is_not_overwritten_in_silence(row: Gateway) -> None:
    keep(row, plain_key=key_pem(key("a")))
    with pytest.raises(InvalidInput):
        make(row, "plain")


def test_after_the_switch_the_new_one_moves_up_and_the_old_one_goes(row: Gateway) -> None:
    make(row)
    second = make(row).waiting
    keep(row, own_on=TODAY.isoformat())
    with pytest.raises(InvalidInput):
        make(row)
    found = make(row, replace=True)
    assert second is not None and found.in_use is not None and found.in_use.certificate == second.certificate
    assert found.in_use.problem is None, "its key moved with it, sealed for its new place"
    assert found.waiting is not None and found.waiting.problem is None


def test_a_pair_without_a_next_one_is_replaced_only_where_that_was_agreed_to(row: Gateway) -> None:
    first = make(row, "plain").in_use
    with pytest.raises(InvalidInput) as refused:
        make(row, "plain")
    assert list(refused.value.errors) == ["replace"]
    found = make(row, "plain", replace=True)
    assert found.in_use is not None and first is not None and found.in_use.certificate != first.certificate
    assert found.waiting is None and found.in_use.problem is None


def test_the_second_click_makes_no_second_certificate(row: Gateway) -> None:
    chosen = choice(row)
    certificates.make(row.id, "own", chosen, ACTOR)
    with pytest.raises(Conflict):
        certificates.make(row.id, "own", chosen, ACTOR)
    assert certificates.find(row, "own").waiting is None


def test_a_change_meanwhile_is_not_trampled_on(row: Gateway) -> None:
    chosen = choice(row)
    row.name = "Et andet navn"
    db.session.commit()
    with pytest.raises(Conflict):
        certificates.make(row.id, "own", chosen, ACTOR)


def test_a_certificate_spoils_the_settings_form_that_is_open_elsewhere(row: Gateway) -> None:
    before = gateways.version(row)
    make(row)
    assert gateways.version(row) != before


def test_what_was_done_is_in_the_history_with_the_person_and_the_fingerprints(row: Gateway) -> None:
    found = make(row)
    event = db.session.query(Event).filter_by(kind="gateway_certificate").one()
    assert (event.actor, event.data["what"], event.data["gateway"]) == (ACTOR, "made", row.id)
    assert found.in_use is not None
    assert event.data["fingerprints"] == [found.in_use.fingerprint.replace(" ", "").lower()]


def test_the_end_of_a_new_certificate_is_known_at_once_and_the_gateway_tried_again(row: Gateway) -> None:
    row.retry_at = utcnow()
    db.session.commit()
    make(row)
    assert [one["field"] for one in row.expiries] == ["own"]
    assert row.retry_at is None


def test_a_pair_is_imported_with_its_key(row: Gateway) -> None:
    content = p12(key("own"), certificate("own"), certificate("root"))
    assert certificates.import_pair(row.id, "own", content, "hemmelig", choice(row), ACTOR) == 1
    found = certificates.find(row, "own")
    assert subject(found.in_use) == "own" and found.in_use is not None and found.in_use.problem is None


def test_of_a_pem_file_a_pair_that_we_could_have_made_takes_no_chain(row: Gateway) -> None:
    content = pem(certificate("own")) + key_pem(key("own"), b"hemmelig") + pem(certificate("root"))
    assert certificates.import_pair(row.id, "own", content, "hemmelig", choice(row), ACTOR) == 1
    assert len(x509.load_pem_x509_certificates(row.config["own"].encode())) == 1
    assert "PRIVATE" not in str(row.config) + str(row.secrets)


@pytest.mark.parametrize("kind", ["nemhandel", "peppol"])
def test_a_pair_that_an_authority_issued_keeps_the_chain_of_its_file(subscription: Subscription, kind: str) -> None:
    row = access_point(subscription, kind)
    chain = [certificate("own", issuer="root", signer=key("root")), certificate("root")]
    content = key_pem(key("own")) + b"".join(map(pem, chain))
    assert certificates.import_pair(row.id, "own_certificate", content, "", choice(row), ACTOR) == 0
    db.session.refresh(row)
    assert x509.load_pem_x509_certificates(row.config["own_certificate"].encode()) == chain
    found = certificates.find(row, "own_certificate")
    assert subject(found.in_use) == "own" and found.in_use is not None and found.in_use.problem is None
    assert identity_of(gateways.unsealed(row), TODAY).certificate == chain[0]
    following = p12(key("next"), certificate("next"), certificate("root"))
    certificates.import_pair(row.id, "own_certificate", following, "hemmelig", choice(row), ACTOR)
    db.session.refresh(row)
    assert len(x509.load_pem_x509_certificates(row.config["own_next_certificate"].encode())) == 2
    assert subject(certificates.find(row, "own_certificate").waiting) == "next"


def test_none_is_made_of_what_an_authority_issues(subscription: Subscription) -> None:
    row = access_point(subscription, "peppol")
    with pytest.raises(NoSuchSet):
        make(row, "own_certificate")


def test_a_file_that_is_no_pair_changes_nothing(row: Gateway) -> None:
    before = gateways.version(row)
    with pytest.raises(InvalidInput) as refused:
        certificates.import_pair(row.id, "own", b"no", "hemmelig", choice(row), ACTOR)
    assert list(refused.value.errors) == ["file"]
    assert gateways.version(row) == before


def test_the_same_pair_twice_is_a_slip(row: Gateway) -> None:
    content = p12(key("own"), certificate("own"))
    certificates.import_pair(row.id, "own", content, "hemmelig", choice(row), ACTOR)
    with pytest.raises(InvalidInput) as refused:
        certificates.import_pair(row.id, "own", content, "hemmelig", choice(row), ACTOR)
    assert list(refused.value.errors) == ["file"]


def test_the_partners_certificate_is_looked_at_before_it_is_kept(row: Gateway) -> None:
    content = pem(certificate("partner"))
    before = gateways.version(row)
    assert subject(certificates.preview_partners(row, "partner", content)) == "partner"
    assert gateways.version(row) == before
    certificates.keep_partners(row.id, "partner", content, choice(row), ACTOR)
    assert subject(certificates.find(row, "partner").in_use) == "partner"


def test_the_partners_second_certificate_waits_for_its_day_then_moves_up(row: Gateway) -> None:
    for number in (1, 2):
        certificates.keep_partners(row.id, "partner", pem(certificate(f"p{number}")), choice(row), ACTOR)
    found = certificates.find(row, "partner")
    assert (subject(found.in_use), subject(found.waiting)) == ("p1", "p2")
    certificates.switch_now(row.id, "partner", gateways.version(row), ACTOR)
    found = certificates.find(row, "partner")
    assert (subject(found.in_use), subject(found.old)) == ("p2", "p1"), "both are accepted for a while"
    certificates.remove_unused(row.id, "partner", gateways.version(row), ACTOR)
    found = certificates.find(row, "partner")
    assert subject(found.in_use) == "p2" and found.following is None and found.switch_on is None


def test_what_the_transport_cannot_use_is_refused_with_its_words_at_once(row: Gateway) -> None:
    private = elliptic()
    with pytest.raises(InvalidInput, match=r"It must be RSA\.") as refused:
        certificates.preview_partners(row, "partner", pem(certificate("ec", private)))
    assert list(refused.value.errors) == ["file"], "what else is wrong with the settings is another matter"


def test_our_own_file_is_not_taken_for_the_partners(row: Gateway) -> None:
    make(row)
    with pytest.raises(InvalidInput, match="our own"):
        certificates.preview_partners(row, "partner", row.config["own"].encode())


@pytest.mark.parametrize("work", [certificates.switch_now, certificates.remove_unused])
def test_without_a_next_one_there_is_nothing_to_switch_to_or_remove(row: Gateway, work: Any) -> None:
    make(row)
    with pytest.raises(Conflict, match="no next certificate"):
        work(row.id, "own", gateways.version(row), ACTOR)


def test_the_next_pair_is_removed_with_its_key(row: Gateway) -> None:
    first = make(row).in_use
    make(row)
    certificates.remove_unused(row.id, "own", gateways.version(row), ACTOR)
    found = certificates.find(row, "own")
    assert found.in_use is not None and first is not None and found.in_use.certificate == first.certificate
    assert found.following is None and "own_next_key" not in row.secrets


def test_the_next_pair_is_in_use_from_the_click_on(row: Gateway) -> None:
    make(row)
    waiting = make(row).waiting
    certificates.switch_now(row.id, "own", gateways.version(row), ACTOR)
    found = certificates.find(row, "own")
    assert found.in_use is not None and waiting is not None and found.in_use.certificate == waiting.certificate


def test_nobody_switches_to_a_certificate_that_cannot_be_used(row: Gateway) -> None:
    make(row)
    keep(row, own_next=pem(certificate("b")), own_next_key=key_pem(key("a")), own_on=SOON)
    with pytest.raises(Conflict, match="belongs to another certificate"):
        certificates.switch_now(row.id, "own", gateways.version(row), ACTOR)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"own": pem(certificate("a"))}, "is missing"),
        ({"own": pem(certificate("a")), "own_key": key_pem(key("b"))}, "belongs to another certificate"),
        ({"own": pem(certificate("a")), "own_key": "nonsense"}, "key cannot be read"),
        ({"own": pem(certificate("a")), "own_key": key_pem(key("a"), b"pw")}, "key cannot be read"),
        ({"own": "nonsense"}, "is missing or cannot be read"),
        ({"own_key": key_pem(key("a"))}, "is missing or cannot be read"),
        ({"own": pem(certificate("a", ends=-1)), "own_key": key_pem(key("a"))}, "has expired"),
        ({"own": pem(certificate("a", starts=3)), "own_key": key_pem(key("a"))}, "not valid yet"),
    ],
    ids=["no key", "other key", "no real key", "locked key", "no real certificate", "no certificate", "old", "early"],
)
def test_what_is_wrong_with_a_stored_pair_is_said(row: Gateway, values: dict[str, Any], words: str) -> None:
    keep(row, **values)
    in_use = certificates.find(row, "own").in_use
    assert in_use is not None and in_use.problem is not None and words in in_use.problem.en


def test_a_key_that_the_server_cannot_open_is_said_and_a_new_pair_takes_its_place(row: Gateway) -> None:
    keep(row, plain=pem(certificate("a")))
    row.secrets = {"plain_key": "v1.lost.AAAA"}
    db.session.commit()
    in_use = certificates.find(row, "plain").in_use
    assert in_use is not None and in_use.problem is not None and "cannot be read" in in_use.problem.en
    in_use = make(row, "plain", replace=True).in_use
    assert in_use is not None and in_use.problem is None


def test_a_next_certificate_without_a_day_and_one_that_comes_too_late_are_warned_of(row: Gateway) -> None:
    keep(row, own=pem(certificate("a", ends=5)), own_key=key_pem(key("a")), own_next=pem(certificate("b")))
    assert ["has no date" in one.en for one in certificates.find(row, "own").warnings] == [True]
    keep(row, own_on=SOON)
    assert ["ends before" in one.en for one in certificates.find(row, "own").warnings] == [True]


@pytest.mark.parametrize(("ends", "days"), [(400, 14), (5, 4), (1, 1), (-3, 1)])
def test_the_offered_day_is_before_the_one_in_use_ends(row: Gateway, ends: int, days: int) -> None:
    keep(row, own=pem(certificate("a", ends=ends)))
    assert certificates.find(row, "own").usual_switch == TODAY + timedelta(days=days)


def test_sets_that_do_not_count_with_the_settings_are_not_there(row: Gateway) -> None:
    assert [one.name for one in certificates.sets(row)] == ["own", "plain", "partner"]
    keep(row, auth="none")
    assert [one.name for one in certificates.sets(row)] == ["own", "partner"]
    with pytest.raises(NoSuchSet):
        make(row, "plain")


@pytest.mark.parametrize("name", ["own_next", "auth", "root", ""])
def test_no_other_field_is_taken_for_a_certificate(row: Gateway, name: str) -> None:
    with pytest.raises(NoSuchSet):
        make(row, name)


def test_ours_and_the_partners_are_not_mixed_up(row: Gateway) -> None:
    with pytest.raises(NoSuchSet):
        make(row, "partner")
    with pytest.raises(NoSuchSet):
        certificates.preview_partners(row, "own", pem(certificate("a")))
    with pytest.raises(NoSuchSet):
        certificates.keep_partners(row.id, "own", pem(certificate("a")), choice(row), ACTOR)


def test_only_certificates_of_ours_are_given_away(row: Gateway) -> None:
    make(row)
    keep(row, partner=pem(certificate("partner")))
    assert certificates.certificate_in(row, "own").public_bytes
    for field in ("own_key", "own_next", "partner", "auth", "nonsense"):
        with pytest.raises(NoSuchSet):
            certificates.certificate_in(row, field)


def test_certificates_in_other_fields_are_listed_too(row: Gateway) -> None:
    keep(row, root=pem(certificate("root")), partner=pem(certificate("partner")))
    assert [(label.en, shown.subject) for label, shown in certificates.others(row)] == [("root", "root")]


def test_fingerprint_and_serial_stand_in_groups_that_can_be_read_out() -> None:
    one = certificate("a")
    shown = certificates.Shown("own", one, utcnow())
    assert [len(group) for group in shown.fingerprint.split(" ")] == [4] * 16
    assert int(shown.serial.replace(":", ""), 16) == one.serial_number
    assert {len(group) for group in shown.serial.split(":")} == {2}


@pytest.mark.parametrize("kind", sorted(kind for kind, one in registry().items() if one.key_pairs))
def test_what_transports_declare_are_fields_of_theirs(kind: str) -> None:
    declared = {field.name: field for field in registry()[kind].fields}
    for pair in (*registry()[kind].key_pairs, *registry()[kind].partner_certificates):
        for name in filter(None, (pair.certificate, pair.next_certificate)):
            assert declared[name].type is FieldType.MULTILINE and not declared[name].secret
        if pair.switch_on:
            assert declared[pair.switch_on].type is FieldType.DATE
        for name in filter(None, (getattr(pair, "key", None), getattr(pair, "next_key", None))):
            assert declared[name].secret and declared[name].is_kept_here


def test_a_real_transport_signs_and_encrypts_with_what_was_made_and_received(subscription: Subscription) -> None:
    form = {"url": "https://as2.example/", "as2_from": "OS", "as2_to": "DEM", "sign": "true", "encrypt": "aes256-cbc"}
    row = gateways.save(subscription.id, "as2", "AS2", form)
    assert subject(make(row, "own_certificate").in_use) == "OS"
    certificates.keep_partners(row.id, "partner_certificate", pem(certificate("DEM")), choice(row), ACTOR)
    make(row, "own_certificate")
    certificates.switch_now(row.id, "own_certificate", gateways.version(row), ACTOR)
    keys = keys_of(gateways.unsealed(row), TODAY)
    in_use = certificates.find(row, "own_certificate").in_use
    assert keys.own is not None and in_use is not None and keys.own[0] == in_use.certificate
    assert keys.partner is not None and keys.partner.subject == certificate("DEM").subject
