"""The archive in an S3-compatible store, which here signs, compares checksums and knows conditions."""

from __future__ import annotations

import hashlib
import os
import signal
from dataclasses import replace

import pytest
from support.object_store import BUCKET, object_stand

from invoiceapp.domain.delivery import DeliveryState
from invoiceapp.models import db, utcnow
from invoiceapp.services.export import archive, delivery
from invoiceapp.services.export.archive import objects
from invoiceapp.services.export.archive.objects import ObjectStore

pytestmark = pytest.mark.server

CONTENT = b"<Invoice>\xc3\xa6</Invoice>"
SHA = hashlib.sha256(CONTENT).hexdigest()
KEY = f"firma/{SHA[:2]}/{SHA[2:4]}/{SHA}"


def test_bytes_come_back_by_their_hash_from_a_key_with_fanned_out_folders(in_bucket):
    assert archive.store(CONTENT) == SHA
    assert in_bucket.objects == {KEY: CONTENT}
    assert archive.load(SHA) == CONTENT


def test_the_same_bytes_are_kept_once_and_are_young_again(in_bucket):
    archive.store(CONTENT)
    in_bucket.changed_at[KEY] = in_bucket.changed_at[KEY].replace(year=2020)
    archive.store(CONTENT)
    assert list(in_bucket.objects) == [KEY] and archive.current().changed_at(SHA).year > 2020


def test_what_somebody_else_has_put_meanwhile_is_left_to_them(in_bucket):
    store = archive.current()
    in_bucket.objects[KEY] = b"theirs"
    store.put(SHA, CONTENT, is_new=True)
    assert in_bucket.objects[KEY] == b"theirs"


def test_a_conflict_of_two_at_once_is_no_success_and_is_tried_again_for_a_while(in_bucket, monkeypatch):
    monkeypatch.setattr(objects, "_PAUSE_SECONDS", 0)
    in_bucket.trouble = [(404, "NoSuchKey"), (409, "ConditionalRequestConflict")]
    assert archive.store(CONTENT) == SHA and in_bucket.objects == {KEY: CONTENT}
    in_bucket.empty()
    refused = [(409, "ConditionalRequestConflict"), (404, "NoSuchKey")]
    in_bucket.trouble = [(404, "NoSuchKey"), *refused * 3]
    with pytest.raises(archive.ArchiveUnavailable, match="ConditionalRequestConflict"):
        archive.store(CONTENT)
    assert in_bucket.objects == {} and in_bucket.methods().count("PUT") == 3


def test_after_a_conflict_what_the_other_one_has_put_is_enough(in_bucket):
    store = archive.current()
    in_bucket.objects[KEY] = CONTENT
    in_bucket.trouble = [(409, "ConditionalRequestConflict")]
    store.put(SHA, CONTENT, is_new=True)
    assert in_bucket.methods() == ["PUT", "GET"]


def test_a_store_that_knows_no_conditions_takes_it_all_the_same(in_bucket):
    in_bucket.knows_conditions = False
    assert archive.store(CONTENT) == SHA and in_bucket.objects == {KEY: CONTENT}


def test_a_changed_object_is_not_given_out_and_is_mended_by_storing_it_again(in_bucket):
    archive.store(CONTENT)
    in_bucket.objects[KEY] = CONTENT + b" "
    with pytest.raises(archive.ArchiveChanged) as caught:
        archive.load(SHA)
    assert "ændret" in caught.value.text.da
    archive.store(CONTENT)
    assert archive.load(SHA) == CONTENT


def test_a_missing_object_is_corrupt(in_bucket):
    with pytest.raises(archive.ArchiveMissing):
        archive.load(SHA)
    assert archive.current().changed_at(SHA) is None


@pytest.mark.parametrize(
    ("url", "access", "says"),
    [
        ("s3://ukendt", {}, "NoSuchBucket"),
        (f"s3://{BUCKET}", {"secret": "wrong"}, "SignatureDoesNotMatch"),
        (f"s3://{BUCKET}", {"key_id": "WRONG"}, "InvalidAccessKeyId"),
    ],
)
def test_a_bucket_that_is_not_there_or_a_wrong_key_is_unavailable_and_no_loss(stand, configured, url, access, says):
    configured(archive_url=url, archive_access=replace(stand.access, **access))
    for ask in (lambda: archive.store(CONTENT), lambda: archive.load(SHA), lambda: list(archive.names())):
        with pytest.raises(archive.ArchiveUnavailable) as caught:
            ask()
        assert says in caught.value.text.en
        assert "wrong" not in caught.value.text.en.lower()
    with pytest.raises(archive.ArchiveUnavailable, match="the key may write there"):
        archive.store(CONTENT)


def test_a_store_that_is_away_is_unavailable(configured):
    with object_stand() as gone:
        configured(archive_url=f"s3://{BUCKET}", archive_access=gone.access)
    with pytest.raises(archive.ArchiveUnavailable) as caught:
        archive.load(SHA)
    assert "prøver igen" in caught.value.text.da and "EndpointConnectionError" in caught.value.text.en


def test_a_moments_trouble_is_tried_through_and_lasting_trouble_is_not_tried_for_ever(in_bucket, monkeypatch):
    in_bucket.objects[KEY] = CONTENT
    in_bucket.trouble = [(503, "SlowDown")]
    assert archive.load(SHA) == CONTENT
    in_bucket.trouble, in_bucket.asked = [(500, "InternalError")] * 20, []
    with pytest.raises(archive.ArchiveUnavailable, match="InternalError"):
        archive.load(SHA)
    assert len(in_bucket.asked) == 3


def test_names_come_by_pages_in_their_order_from_anywhere(in_bucket):
    wanted = sorted(archive.store(str(number).encode()) for number in range(10))
    in_bucket.objects["firma/notes.txt"] = in_bucket.objects["firma/00/00/" + "0" * 64 + ".draft"] = b"somebody's"
    assert list(archive.names()) == wanted
    assert list(archive.names(wanted[3], wanted[7])) == wanted[4:8]
    assert in_bucket.methods().count("GET") > 4


def test_a_removed_object_is_gone_and_removing_it_again_harms_nothing(in_bucket):
    archive.store(CONTENT)
    archive.remove(SHA)
    archive.remove(SHA)
    assert in_bucket.objects == {}


def test_another_process_gets_connections_of_its_own(in_bucket, monkeypatch):
    here = archive.current()
    assert archive.current() is here
    monkeypatch.setattr("os.getpid", lambda: 1)
    assert archive.current() is not here


def test_a_key_is_never_shown(stand, configured):
    settings = configured(archive_url=f"s3://{BUCKET}", archive_access=stand.access)
    assert stand.access.secret not in repr(settings) and stand.access.key_id not in repr(settings)
    assert ObjectStore(BUCKET, "a/b", stand.access).url == f"s3://{BUCKET}/a/b"


def test_a_store_that_is_away_fails_no_delivery_and_a_later_try_sends_what_was_stored(in_bucket, ready, partner):
    row = ready()
    in_bucket.trouble = [(503, "ServiceUnavailable")] * 3
    delivery.deliver_due()
    assert row.state is DeliveryState.PENDING and row.next_at > utcnow() and partner.sent == []
    row.next_at = utcnow()
    db.session.commit()
    delivery.deliver_due()
    assert row.state is DeliveryState.DELIVERED and len(partner.sent) == 1


def test_a_changed_object_is_not_sent(in_bucket, ready, partner):
    row = ready()
    in_bucket.objects = dict.fromkeys(in_bucket.objects, b"<Invoice>other</Invoice>")
    delivery.deliver_due()
    assert row.state is DeliveryState.FAILED and partner.sent == []


def test_a_process_that_was_forked_reads_on_as_its_parent_does(in_bucket):
    archive.store(CONTENT)
    child = os.fork()
    if child == 0:
        # Nothing of pytest's may run here; a hang must end, too.
        signal.alarm(30)
        os._exit(0 if archive.load(SHA) == CONTENT else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert archive.load(SHA) == CONTENT
