"""What an evidence pack holds, that it can be made of any document, and that the same is the same bytes."""

from __future__ import annotations

import hashlib
import io
import json
import re
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path, PurePosixPath

import pytest
from support.evidence_packs import contents, full_document

from invoiceapp.domain.delivery import DeliveryState
from invoiceapp.domain.findings import Text
from invoiceapp.models import Document, Lookup, Rendition, Stage, db, dump_json, utcnow
from invoiceapp.services import audit
from invoiceapp.services.database import transaction
from invoiceapp.services.errors import ServiceError
from invoiceapp.services.export import archive
from invoiceapp.services.keeping import words
from invoiceapp.services.proof.evidence import checking, pack

S = DeliveryState
AT = datetime(2026, 11, 23, 9, 12, tzinfo=UTC)


class Page(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.names: set[str] = set()
        self.links: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.names |= {name for name, _value in attrs}
        self.links += [value or "" for name, value in attrs if name in ("href", "src")]


def made(tmp_path: Path, *documents: Document, at: datetime | None = AT) -> Path:
    target = tmp_path / f"pack-{len(list(tmp_path.iterdir()))}.zip"
    pack.write(target, [one.id for one in documents], "bo@example.com", at)
    return target


def verified(path: Path) -> checking.Verdict:
    return checking.check(io.BytesIO(path.read_bytes()))


def of(found: dict[str, bytes], document: Document, name: str) -> bytes:
    return found[f"documents/{document.number}-{document.id}/{name}"]


def test_a_pack_holds_everything_that_shows_what_became_of_a_document(ready, tmp_path):
    document = full_document(ready)
    found = contents(made(tmp_path, document))
    deliveries = json.loads(of(found, document, "deliveries.json"))
    rendition = db.session.query(Rendition).one()
    assert of(found, document, "source.json") == dump_json(document.bundle).encode()
    assert of(found, document, "renditions/1-invoice-1001.xml") == b"<Invoice>1001</Invoice>"
    assert of(found, document, "pdf/1-1001.pdf") == b"%PDF"
    assert of(found, document, "receipts/1-wire-mdn.txt") == b"signed by the partner"
    assert b"ApplicationResponse" in of(found, document, "responses/2-invoice-response.txt")
    assert b"ServiceGroup" in of(found, document, "directory/1-peppol-smp-registered.txt")
    [judged] = json.loads(of(found, document, "validation.json"))
    assert judged["rule_sets"][0] | {"title": ""} == {**rendition.rule_sets[0], "title": ""}
    assert json.loads(of(found, document, "document.json"))["source"]["revision"] == document.bundle_sha256
    assert deliveries[0]["rendition"]["sha256"] == hashlib.sha256(b"<Invoice>1001</Invoice>").hexdigest()
    assert deliveries[0]["attempts"][0]["wire_ids"] and len(deliveries[0]["receipts"]) == 2
    timeline = json.loads(of(found, document, "timeline.json"))
    assert [one["kind"] for one in timeline] == ["fetched", "converted", "sending", "delivered"]
    assert all(one["da"] and one["en"] and one["at"] for one in timeline) and timeline[-1]["actor"] == "bo@example.com"
    assert [one["status"] for one in json.loads(of(found, document, "history.json"))][-1] == "delivered"
    [lookup] = json.loads(of(found, document, "directory.json"))["lookups"]
    assert lookup["asked"].startswith("0088:5798000000001") and lookup["first_said_at"]


def test_the_manifest_names_every_file_who_made_it_and_the_head_of_the_audit_log(ready, tmp_path, subscription):
    with transaction():
        audit.note("command", subscription_id=subscription.id, name="x", outcome="done")
    found = contents(made(tmp_path, full_document(ready)))
    manifest = json.loads(found["manifest.json"])
    assert (manifest["made_by"], manifest["made_at"]) == ("bo@example.com", AT.isoformat())
    assert manifest["subscription"] == {"id": subscription.id, "name": subscription.name}
    assert manifest["audit"]["chain"] == subscription.id and len(manifest["audit"]["head"]) == 64
    listed = {one["path"]: one for one in manifest["files"]}
    assert set(listed) == set(found) - {"manifest.json", "manifest.p7s"}
    for path, one in listed.items():
        assert (one["size"], one["sha256"]) == (len(found[path]), hashlib.sha256(found[path]).hexdigest())
        assert one["da"] and one["en"]
    assert (
        found["manifest.json"]
        == json.dumps(manifest, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()
    )


def test_the_pages_open_from_disk_without_scripts_and_every_link_leads_somewhere(ready, tmp_path):
    document = full_document(ready)
    document.customer_name = "<script>alert(1)</script>"
    db.session.commit()
    found = contents(made(tmp_path, document))
    pages = {name: Page(content.decode()) for name, content in found.items() if name.endswith(".html")}
    assert len(pages) == 2
    for name, page in pages.items():
        assert "script" not in page.tags and not {one for one in page.names if one.startswith("on")}
        assert "style" not in page.names
        for link in page.links:
            parts: list[str] = []
            for part in (PurePosixPath(name).parent / link).parts:
                parts = parts[:-1] if part == ".." else [*parts, part]
            assert "/".join(parts) in found, link
    first = found["index.html"].decode()
    assert "beviser ikke" in first and "does not prove" in first and "23. nov. 2026 kl. 10.12" in first
    assert first.index("beviser ikke") < first.index("does not prove")
    text = of(found, document, "index.html").decode()
    for told in (
        "peppol-smp",
        "tilmeldt / registered",
        "Hver status",
        "Peppol BIS Billing 3 2025.5",
        "Svaret på afsendelsen",
        "bo@example.com",
        "250 OK",
        "Peppol BIS Billing 3",
        "Afleveret / Handed over",
        "Meddelelsens id / Id of the message",
    ):
        assert told in text
    assert "mailserver" in first and "accepted · " not in text


def test_everything_that_is_noted_of_documents_has_words():
    services = Path(archive.__file__).parents[2]
    noted = {
        kind
        for path in services.rglob("*.py")
        for kind in re.findall(r'events\.of_(?:document|delivery)\(\s*"(\w+)"', path.read_text())
    }
    assert {"source_changed", "converted"} <= noted and not noted - set(words.EVENTS)


def test_the_same_documents_at_the_same_moment_are_the_same_bytes_but_for_the_signature(ready, tmp_path):
    one, other = full_document(ready, "1001"), full_document(ready, "1002")
    first, second = contents(made(tmp_path, one, other)), contents(made(tmp_path, other, one, one))
    assert list(first) == list(second)
    assert first | {"manifest.p7s": b""} == second | {"manifest.p7s": b""}
    later = contents(made(tmp_path, one, other, at=AT + timedelta(minutes=1)))
    changed = {name for name in first if first[name] != later[name]}
    assert changed == {"index.html", "manifest.json", "manifest.p7s"}


def test_a_document_in_any_state_of_a_delivery_has_a_pack_that_holds(ready, tmp_path):
    verdict = verified(made(tmp_path, *(full_document(ready, state.value, state) for state in S)))
    assert verdict.holds, [one.text.en for one in verdict.checks]
    assert {one["number"] for one in verdict.manifest["documents"]} == {state.value for state in S}


def test_documents_at_every_stage_without_a_delivery_have_a_pack_that_holds(
    make_customer, make_document, subscription, tmp_path
):  # fmt: skip
    customer = make_customer()
    rows = [make_document(customer, f"{stage.value}/æ\\:*", stage=stage) for stage in Stage]
    verdict = verified(made(tmp_path, *rows))
    assert verdict.holds, [one.text.en for one in verdict.checks]
    assert len(verdict.manifest["documents"]) == len(Stage)


def test_a_document_that_was_sent_again_has_both_sendings(ready, make_delivery, tmp_path):
    document = full_document(ready, state=S.SUPERSEDED)
    rendition = db.session.query(Rendition).one()
    make_delivery(document, S.ACCEPTED, rendition_id=rendition.id, first_sent_at=utcnow())
    path = made(tmp_path, document)
    assert len(json.loads(of(contents(path), document, "deliveries.json"))) == 2
    verdict = verified(path)
    assert verdict.holds and "2 sendings" in verdict.checks[-1].text.en


def test_the_registers_answer_is_the_one_of_then_and_not_of_now(ready, tmp_path):
    document = full_document(ready)
    row = db.session.query(Lookup).one()
    db.session.add(
        Lookup(
            subscription_id=row.subscription_id, register=row.register, question=row.question, outcome="not_registered",
            created_at=utcnow() + timedelta(hours=1),
        )
    )  # fmt: skip
    db.session.commit()
    [said] = json.loads(of(contents(made(tmp_path, document)), document, "directory.json"))["lookups"]
    assert said["outcome"] == "registered"


def test_what_the_archive_has_lost_is_said_on_the_page_and_by_the_check(ready, config, tmp_path):
    document = full_document(ready)
    name = db.session.query(Rendition.sha256).scalar()
    (config.archive_dir / name[:2] / name[2:4] / name).unlink()
    path = made(tmp_path, document)
    assert "mangler i arkivet" in of(contents(path), document, "index.html").decode()
    verdict = verified(path)
    assert not verdict.holds
    assert [one.name for one in verdict.checks if not one.holds] == ["archive"]


def test_a_pack_is_written_whole_or_not_at_all(ready, tmp_path, monkeypatch):
    document = full_document(ready)

    def full(_sha256: str) -> bytes:
        raise archive.ArchiveUnavailable(Text("Arkivet kan ikke læses.", "The archive cannot be read."))

    monkeypatch.setattr(archive, "load", full)
    with pytest.raises(archive.ArchiveUnavailable):
        made(tmp_path, document)
    assert not list(tmp_path.glob("*.zip")) and not list(tmp_path.glob(".evidence-*"))


def test_documents_of_two_subscriptions_and_of_none_make_no_pack(ready, tmp_path):
    full_document(ready)
    for ids in ([], ["nobody"]):
        with pytest.raises(ServiceError):
            pack.write(tmp_path / "x.zip", ids, "bo")
    assert not (tmp_path / "x.zip").exists()


def test_no_pack_tells_of_a_gateways_settings(ready, gateway, tmp_path):
    gateway.config = {"host": "kanariefugl.example", "password": "kanariefugl"}
    db.session.commit()
    said = b"".join(contents(made(tmp_path, full_document(ready))).values())
    assert gateway.name.encode() in said and not re.search(b"kanariefugl", said)
