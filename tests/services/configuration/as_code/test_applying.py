from __future__ import annotations

import os
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, select

from invoiceapp.domain.delivery import DeliveryState
from invoiceapp.domain.invoice import DocumentType
from invoiceapp.models import (
    Adaptor,
    Customer,
    Delivery,
    Document,
    Environment,
    ExportRule,
    Gateway,
    Schedule,
    SettingsChange,
    Stage,
    Subscription,
    db,
    utcnow,
)
from invoiceapp.services import secrets
from invoiceapp.services.configuration import changes
from invoiceapp.services.configuration.as_code import ConfigurationInvalid, Options, apply, export
from invoiceapp.services.errors import ServiceError

GATEWAY = """
  - name: SFTP
    kind: sftp
    environment: live
    config: {host: sftp.example, username: "007", with_pdf: yes}
    secrets: {private_key: {env: INVOICEAPP_SECRET_KEY}}
"""
ADAPTOR = """
  - name: Billy
    source:
      kind: billy
    defaults: {format: oioubl-2.1, gateway: SFTP}
    settings:
      general: {note: Hilsen, embedPdf: true}
    vat:
      "0012": {category: E}
    customers:
      - id: "0123"
        name: Kommune X
        number: "42"
        settings: {customer: {orderNumber: 0088}}
      - id: b
        active: false
        format: peppol-bis-3
"""


def file(gateways: str = GATEWAY, adaptors: str = ADAPTOR) -> str:
    return f"version: 1\nsubscription: Eksempel ApS\ngateways:{gateways}adaptors:{adaptors}"


def run(text: str, **options: Any) -> list[str]:
    db.session.remove()
    return [str(change) for change in apply(text.encode(), Options(**options)).changes]


def problems(text: str, **options: Any) -> list[str]:
    db.session.remove()
    with pytest.raises(ConfigurationInvalid) as refused:
        apply(text.encode(), Options(**options))
    return [str(problem) for problem in refused.value.problems]


def one(model: Any, **by: Any) -> Any:
    db.session.expire_all()
    return db.session.scalars(select(model).filter_by(**by)).one()


@pytest.fixture(autouse=True)
def mine(subscription: Subscription, monkeypatch: pytest.MonkeyPatch) -> None:
    """The subscription that the files name, and the key that they refer to."""
    monkeypatch.setenv("INVOICEAPP_SECRET_KEY", "nøgle")


@pytest.fixture
def applied() -> None:
    run(file())


def test_a_file_written_by_hand_is_applied_and_told_line_by_line():
    lines = run(file())
    assert lines[0] == "gateway SFTP: new, sftp, live"
    assert "gateway SFTP: config.host: – → sftp.example" in lines
    assert "adaptor Billy: general.note: – → Hilsen" in lines
    assert 'adaptor Billy: customer 0123 "Kommune X": active, oioubl-2.1 by SFTP' in lines
    assert 'adaptor Billy: customer 0123 "Kommune X": customer.orderNumber: – → 0088' in lines
    assert 'adaptor Billy: customer b "b": not active, peppol-bis-3 by SFTP' in lines
    customer = one(Customer, source_id="0123")
    assert (customer.name, customer.number, customer.rule.settings) == (
        "Kommune X", "42", {"customer": {"orderNumber": "0088"}}
    )  # fmt: skip
    assert one(Gateway).config["with_pdf"] is True
    assert run(file()) == []


def test_what_a_file_does_not_speak_of_is_left_alone(applied):
    row = one(Adaptor)
    row.description = "Beskrivelse"
    db.session.commit()
    assert run("version: 1\nsubscription: Eksempel ApS\nadaptors:\n  - name: Billy\n    source: {kind: billy}\n") == []
    assert (one(Adaptor).description, one(Adaptor).settings["general"]["note"]) == ("Beskrivelse", "Hilsen")


def test_settings_are_whole_what_is_left_out_is_inherited_again(applied):
    lines = run(
        file(adaptors=ADAPTOR.replace("note: Hilsen, ", "").replace('"0012": {category: E}', '"9": {category: G}'))
    )
    assert lines == [
        "adaptor Billy: general.note: Hilsen → –", "adaptor Billy: vat.0012: E → –", "adaptor Billy: vat.9: – → G",
    ]  # fmt: skip
    assert one(Adaptor).settings == {"general": {"embedPdf": True}, "vat": {"9": {
        "category": "G", "exemptionReason": None, "exemptionCode": None}}}  # fmt: skip


def test_what_no_setting_declares_any_more_is_left_alone(applied):
    row = one(Adaptor)
    row.settings = {**row.settings, "gone": {"x": 1}, "customer": {"country": "DK"}}
    db.session.commit()
    assert run(file()) == []
    assert one(Adaptor).settings["gone"] == {"x": 1}


def test_an_applied_change_can_be_undone(applied):
    run(file(adaptors=ADAPTOR.replace("Hilsen", "Anden")))
    change = db.session.scalars(select(SettingsChange).where(SettingsChange.kind == "common")).all()[-1]
    assert change.actor == "config"
    changes.undo(change.id, "ejer@example.com")
    assert one(Adaptor).settings["general"]["note"] == "Hilsen"


def test_customers_that_the_file_does_not_have_are_left_alone_unless_pruned(applied):
    shorter = file(adaptors=ADAPTOR[: ADAPTOR.index('      - id: "0123"')] + ADAPTOR[ADAPTOR.index("      - id: b") :])
    assert run(shorter) == []
    assert run(shorter, prune=True, dry_run=True) == run(shorter, prune=True)
    rule = one(Customer, source_id="0123").rule
    assert (rule.active, rule.settings) == (False, {"customer": {"orderNumber": "0088"}})
    assert run(shorter, prune=True) == []


def test_gateways_and_adaptors_that_the_file_does_not_have_are_only_told(applied):
    outcome = apply(b"version: 1\nsubscription: Eksempel ApS\n", Options(prune=True))
    assert outcome.changes == []
    assert [str(note) for note in outcome.notes] == [
        "gateway SFTP: Is not in the file. It was left alone.", "adaptor Billy: Is not in the file. It was left alone.",
    ]  # fmt: skip


def test_a_customer_that_was_read_keeps_the_name_of_the_source(applied):
    row = one(Customer, source_id="0123")
    row.name, row.raw, row.is_new = "Fra Billy", {"id": "0123"}, True
    db.session.commit()
    assert run(file()) == []
    assert one(Customer, source_id="0123").name == "Fra Billy"


def test_a_customer_without_a_rule_gets_one_and_is_no_longer_new(applied):
    adaptor = one(Adaptor)
    db.session.add(
        Customer(subscription_id=adaptor.subscription_id, adaptor_id=adaptor.id, source_id="c", name="C", is_new=True, raw={})
    )  # fmt: skip
    db.session.commit()
    assert run(file(adaptors=ADAPTOR + "      - {id: c}\n")) == [
        'adaptor Billy: customer c "C": active, oioubl-2.1 by SFTP'
    ]
    assert one(Customer, source_id="c").is_new is False


def test_an_approval_is_given_and_taken_back(applied):
    given = file(adaptors=ADAPTOR + "        approved: true\n")
    assert run(given) == ['adaptor Billy: customer b "b": approved: false → true']
    assert one(Customer, source_id="b").rule.approved_by == "config"
    assert run(file()) == []
    assert run(given.replace("approved: true", "approved: false")) == [
        'adaptor Billy: customer b "b": approved: true → false'
    ]


def test_a_new_adaptor_sends_nothing_old_unless_the_file_says_so():
    run(file())
    assert one(Adaptor).start_date is not None
    run(file(adaptors=ADAPTOR.replace("    defaults:", "    startDate:\n    defaults:")))
    assert one(Adaptor).start_date is None


def test_everything_that_is_wrong_is_told_at_once_and_nothing_is_changed():
    text = """version: 1
subscription: Eksempel ApS
unknown: 1
gateways:
  - name: SFTP
    kind: sftp
    environment: prod
    config: {host: "a b", port: 70000, nonsense: 1, password: secret, with_pdf: 3}
    secrets: {password: secret, host: {env: A}}
  - {name: SFTP, kind: fax}
  - kind: email
adaptors:
  - name: Billy
    source: {kind: billy, config: {base_url: "ftp://x"}}
    active: perhaps
    startDate: 20261101
    schedule: {everyMinutes: 0}
    newCustomers: all
    defaults: {format: papir, gateway: Fax}
    settings:
      general: {roundingLimit: x, holdMinutes: [1], gone: 1}
      supplier: {endpoint: {scheme: 0088, value: "1"}, gln: "123"}
      customer: {country: DK}
      formats: {edifact-d96a: {profile: no}, papir: {}}
    vat: {a: {category: X}, b: {category: S, percent: 0}, c: E, d: {}}
    customers:
      - id: a
        settings: {customer: {country: Danmark, email: "a,b@c.dk"}}
      - {id: a}
      - {id: b, gateway: Ingen, format: papir}
      - Kommune
      - {name: uden id}
"""
    found = problems(text)
    places = [line.split(": ")[1].split(" (")[0] for line in found]
    assert sorted(places) == sorted([
        "unknown", "gateways[0].environment", "gateways[0].config.host", "gateways[0].config.port",
        "gateways[0].config.nonsense", "gateways[0].config.password", "gateways[0].config.with_pdf",
        "gateways[0].config", "gateways[0].secrets.password", "gateways[0].secrets.host", "gateways[1].kind",
        "gateways[2]", "adaptors[0].source.config.base_url", "adaptors[0].active", "adaptors[0].startDate",
        "adaptors[0].schedule.everyMinutes", "adaptors[0].newCustomers", "adaptors[0].defaults.format",
        "adaptors[0].defaults.gateway", "adaptors[0].settings.general.roundingLimit",
        "adaptors[0].settings.general.holdMinutes", "adaptors[0].settings.general.gone",
        "adaptors[0].settings.supplier.endpoint", "adaptors[0].settings.supplier.gln",
        "adaptors[0].settings.customer.country", "adaptors[0].settings.formats.edifact-d96a.profile",
        "adaptors[0].settings.formats.papir", "adaptors[0].vat.a", "adaptors[0].vat.b.category", "adaptors[0].vat.c",
        "adaptors[0].vat.d", "adaptors[0].customers[0].settings.customer.country",
        "adaptors[0].customers[0].settings.customer.email", "adaptors[0].customers[1].id",
        "adaptors[0].customers[0]", "adaptors[0].customers[0]", "adaptors[0].customers[2].format",
        "adaptors[0].customers[2].gateway", "adaptors[0].customers[2]", "adaptors[0].customers[3]",
        "adaptors[0].customers[4]",
    ])  # fmt: skip
    assert (
        "line 28: adaptors[0].customers[0].settings.customer.country (adaptor Billy, customer a): "
        "“Danmark” cannot be used here. Two letters, for example DK." in found
    )
    assert not any("secret" in line.split(": ", 2)[2] and "=" in line for line in found)
    assert [db.session.scalar(select(model)) for model in (Gateway, Adaptor, Customer, ExportRule)] == [None] * 4


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("version: 1", "version: 2", "Only version 1"),
        ("version: 1", "other: 1", "“version” is missing"),
        ("kind: sftp", "kind: email\n    ", "kind"),
        ("kind: billy", "kind: economic", "source.kind (adaptor Billy): Unknown"),
        ("name: Billy", "name: BILLY", "name (adaptor BILLY): Another adaptor is called"),
        ("name: Billy", "name: " + "x" * 201, "at most 200"),
        ('id: "0123"', "id: " + "x" * 65, "at most 64"),
        ("name: Kommune X", "name: " + "x" * 501, "at most 500"),
        ("number: \"42\"", "number: " + "x" * 101, "at most 100"),
        ("    defaults", "    description: " + "x" * 2001 + "\n    defaults", "at most 2000"),
        ("note: Hilsen", "note: " + "x" * 10_001, "too long"),
        ("note: Hilsen", 'note: "a\\tb"', "on one line"),
        ("gateway: SFTP", "gateway: sftp", "There is no gateway “sftp”"),
        ("config: {host", "config: {port", "“host” (Server) is missing"),
    ],
)  # fmt: skip
def test_one_wrong_thing_keeps_everything_from_being_changed(applied, old, new, said):
    before = export("Eksempel ApS")
    found = problems(file().replace(old, new, 1))
    assert any(said in line for line in found), found
    assert export("Eksempel ApS") == before


def test_a_test_adaptor_gets_no_customers_with_a_live_gateway():
    found = problems(file(adaptors=ADAPTOR.replace("    defaults", "    environment: test\n    defaults")))
    assert [line.split(" (")[0] for line in found] == ["line 14: adaptors[0].defaults.gateway",
        "line 20: adaptors[0].customers[0].gateway"]  # fmt: skip
    assert "test gateway" in found[0]


def test_an_adaptor_that_goes_to_test_holds_back_what_waits(applied):
    adaptor, gateway, customer = one(Adaptor), one(Gateway), one(Customer, source_id="0123")
    document = Document(
        subscription_id=adaptor.subscription_id, adaptor_id=adaptor.id, customer_id=customer.id, customer_source_id="0123",
        customer_name="X", number="1", source_id="1", type=DocumentType.INVOICE, issue_date=date(2026, 11, 2), currency="DKK",
        net=Decimal(1), vat=Decimal(0), bundle={}, bundle_sha256="0" * 64, stage=Stage.CONVERTED,
    )  # fmt: skip
    db.session.add(document)
    db.session.flush()
    db.session.add(
        Delivery(
            subscription_id=adaptor.subscription_id, adaptor_id=adaptor.id, document_id=document.id, gateway_id=gateway.id,
            state=DeliveryState.PENDING, format="oioubl-2.1", transport="sftp", idem_key="k", findings=[],
        )
    )  # fmt: skip
    db.session.commit()
    text = file(adaptors=ADAPTOR.replace("defaults: {format: oioubl-2.1, gateway: SFTP}", "environment: test"))
    refused = problems(text)
    assert [line.split(" (")[0] for line in refused] == ["line 10: adaptors[0].defaults.gateway"]
    outcome = apply(
        text.replace("environment: test", "environment: test\n    defaults: {gateway: }").encode(), Options()
    )
    assert [str(note) for note in outcome.notes] == [
        "adaptor Billy: 1 active customers have a live gateway, and the adaptor is for tests. Nothing is sent to them."
    ]
    assert one(Delivery).state is DeliveryState.BLOCKED
    assert one(Adaptor).environment is Environment.TEST


def blocked() -> str:
    """The id of a document whose delivery by the gateway is blocked."""
    adaptor, gateway, customer = one(Adaptor), one(Gateway), one(Customer, source_id="0123")
    document = Document(
        subscription_id=adaptor.subscription_id, adaptor_id=adaptor.id, customer_id=customer.id, customer_source_id="0123",
        customer_name="X", number="1", source_id="1", type=DocumentType.INVOICE, issue_date=adaptor.start_date,
        currency="DKK", net=Decimal(1), vat=Decimal(0), bundle={}, bundle_sha256="0" * 64, stage=Stage.CONVERTED,
    )  # fmt: skip
    db.session.add(document)
    db.session.flush()
    db.session.add(
        Delivery(
            subscription_id=adaptor.subscription_id, adaptor_id=adaptor.id, document_id=document.id, gateway_id=gateway.id,
            state=DeliveryState.BLOCKED, format="oioubl-2.1", transport="sftp", idem_key="k", findings=[],
        )
    )  # fmt: skip
    db.session.commit()
    return document.id


def test_a_gateway_that_goes_to_test_lets_go_what_it_held_back(applied):
    document_id = blocked()
    one(Adaptor).environment = Environment.TEST
    db.session.commit()
    lines = run(file(gateways=GATEWAY.replace("live", "test"), adaptors=" []\n"))
    assert lines == ["gateway SFTP: environment: live → test"]
    assert one(Document, id=document_id).stage is Stage.QUEUED


def test_an_adaptor_that_goes_live_lets_go_what_it_held_back(applied):
    document_id = blocked()
    one(Adaptor).environment = Environment.TEST
    db.session.commit()
    run(file(adaptors=ADAPTOR.replace("    defaults", "    environment: live\n    defaults")))
    assert one(Document, id=document_id).stage is Stage.QUEUED


def test_another_format_and_gateway_are_in_the_history_with_the_settings_of_the_same_file(applied):
    customer_id, old = one(Customer, source_id="0123").id, one(Gateway).id
    more = GATEWAY + GATEWAY.replace("SFTP", "Ny")
    text = ADAPTOR.replace('number: "42"', 'number: "42"\n        format: peppol-bis-3\n        gateway: Ny')
    inserts: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        if statement.startswith("INSERT INTO settings_change"):
            inserts.append(statement)

    event.listen(db.engine, "before_cursor_execute", note)
    run(file(gateways=more, adaptors=text.replace("0088", "PO-9").replace("active: false", "gateway: Ny")))
    assert len(inserts) == 1
    new = one(Gateway, name="Ny").id
    found = changes.of_adaptor(one(Adaptor).id, customer_id).changes[0]
    assert found.before == {"customer": {"orderNumber": "0088"}, "rule": {"format": "oioubl-2.1", "gateway": old}}
    assert found.after == {"customer": {"orderNumber": "PO-9"}, "rule": {"format": "peppol-bis-3", "gateway": new}}
    other = changes.of_adaptor(one(Adaptor).id, one(Customer, source_id="b").id).changes
    assert [(change.before, change.after) for change in other] == [
        ({"rule": {"gateway": old}}, {"rule": {"gateway": new}})
    ]
    changes.undo(found.id, "ejer@example.com")
    rule = one(ExportRule, customer_id=customer_id)
    assert (rule.format, rule.gateway_id, rule.settings) == ("oioubl-2.1", old, {"customer": {"orderNumber": "0088"}})


def test_a_gateway_that_cannot_send_the_format_is_refused(applied):
    gateways = GATEWAY + "  - {name: Anden, kind: other, config: {}}\n"
    found = problems(file(gateways, ADAPTOR.replace("        name: Kommune X", "        gateway: Anden")))
    assert [line.split(" (")[0] for line in found] == ["line 20: adaptors[0].customers[0].format"]
    assert "cannot send this format" in found[0]


def test_another_company_is_refused(applied):
    company = file(
        adaptors=ADAPTOR.replace("kind: billy\n", "kind: billy\n      company: {id: a, name: A, registrationNo: 01}\n")
    )
    assert run(company) == ["adaptor Billy: source.company: – → A"]
    assert one(Adaptor).organization == {"id": "a", "name": "A", "registration_no": "01"}
    assert run(company.replace("name: A,", "name: B,")) == []
    (refused,) = problems(company.replace("id: a,", "id: b,"))
    assert "adaptors[0].source.company.id (adaptor Billy): The adaptor is connected to “A”" in refused


def test_what_the_source_said_of_its_rates_is_not_overwritten(applied):
    row = one(Adaptor)
    row.organization = {"id": "a", "tax_rates": [{"id": "0012", "name": "Fra Billy", "rate": 0}]}
    db.session.commit()
    run(file(adaptors=ADAPTOR.replace("{category: E}", "{category: E, name: Fra fil, percent: 0}")))
    assert one(Adaptor).organization["tax_rates"] == [{"id": "0012", "name": "Fra Billy", "rate": 0}]


def test_the_subscription_is_made_only_when_asked():
    text = file().replace("Eksempel ApS", "Ny ApS")
    with pytest.raises(ServiceError, match="There is no subscription"):
        apply(text.encode(), Options())
    assert run(text, create_subscription=True)[0] == "subscription Ny ApS: new"
    assert run(text, create_subscription=True) == []
    assert run(text, subscription="Eksempel ApS") != []


def test_a_file_of_one_subscription_touches_no_other(applied):
    other = Subscription(name="Fremmed")
    db.session.add(other)
    db.session.commit()
    found = problems(file("\n", ADAPTOR).replace("gateways:\n", ""), subscription="Fremmed")
    assert any("There is no gateway “SFTP”" in line for line in found)
    run(file(), subscription="Fremmed")
    assert len(db.session.scalars(select(Gateway)).all()) == 2


def test_names_cannot_move_the_terminals_cursor():
    (line, *_) = [line for line in run(file(adaptors=ADAPTOR.replace("Kommune X", '"A\\e[2J\\nB"'))) if "0123" in line]
    assert 'customer 0123 "A\\x1b[2J\\nB"' in line


# --- secrets -----------------------------------------------------------------------------------------------------------


PW = "INVOICEAPP_SECRET_PW"
FROM_PW = f"{{env: {PW}}}"


def with_password(reference: str) -> str:
    return file(gateways=GATEWAY.replace("secrets: {", f"secrets: {{password: {reference}, "))


def password() -> str:
    row = one(Gateway)
    return secrets.decrypt(row.secrets["password"], f"gateway/{row.id}/password")


def test_a_secret_comes_from_the_environment_and_is_encrypted_once(monkeypatch):
    monkeypatch.setenv(PW, " hemmelig: æ\n")
    assert "gateway SFTP: secrets.password: new" in run(with_password(FROM_PW))
    assert password() == " hemmelig: æ\n"
    kept = one(Gateway).secrets
    assert run(with_password(FROM_PW)) == []
    assert one(Gateway).secrets == kept
    monkeypatch.setenv(PW, "ny")
    assert run(with_password(FROM_PW)) == ["gateway SFTP: secrets.password: differs"]
    assert password() == "ny"
    assert 'env: "INVOICEAPP_SECRET_PW"' in export("Eksempel ApS")


def test_a_secret_comes_from_a_file_without_its_last_line_end(secrets_dir):
    path = secrets_dir / "pw"
    path.write_bytes("linje 1\nlinje æ\r\n".encode())
    run(with_password(f"{{file: {path}}}"))
    assert password() == "linje 1\nlinje æ"
    assert f'file: "{path}"' in export("Eksempel ApS")


def test_a_secret_that_cannot_be_read_is_kept_where_one_is_stored(monkeypatch):
    (refused,) = problems(with_password(FROM_PW))
    place = "gateways[0].secrets.password (gateway SFTP)"
    assert refused.endswith(f"{place}: The environment variable INVOICEAPP_SECRET_PW is not set.")
    monkeypatch.setenv(PW, "x")
    run(with_password(FROM_PW))
    monkeypatch.delenv(PW)
    outcome = apply(with_password(FROM_PW).encode(), Options())
    assert (outcome.changes, [str(note) for note in outcome.notes]) == (
        [], [f"gateway SFTP: secrets.password: The environment variable {PW} is not set. The stored secret is kept."]
    )  # fmt: skip
    assert password() == "x"


def test_a_secret_does_not_follow_to_another_server(monkeypatch):
    monkeypatch.setenv(PW, "x")
    run(with_password(FROM_PW))
    moved = file(gateways=GATEWAY.replace("sftp.example", "evil.example"))
    (refused,) = problems(moved)
    assert "gateways[0].secrets.password (gateway SFTP): The address has changed" in refused
    monkeypatch.delenv(PW)
    assert "is not set" in problems(with_password(FROM_PW).replace("sftp.example", "evil.example"))[0]
    monkeypatch.setenv(PW, "x")
    assert run(with_password(FROM_PW).replace("sftp.example", "ny.example")) == [
        "gateway SFTP: config.host: sftp.example → ny.example"
    ]
    assert password() == "x"


def test_a_stored_secret_that_no_key_opens_is_replaced(monkeypatch):
    monkeypatch.setenv(PW, "x")
    run(with_password(FROM_PW))
    row = one(Gateway)
    row.secrets = {**row.secrets, "password": "v1.gone.AAAA"}
    db.session.commit()
    assert run(with_password(FROM_PW)) == ["gateway SFTP: secrets.password: differs"]
    assert password() == "x"


def _pipe(path: Path) -> None:
    os.mkfifo(path)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda path: None, "cannot be read: No such file"),
        (lambda path: path.mkdir(), "not a regular file"),
        (_pipe, "not a regular file"),
        (lambda path: path.write_bytes(b"x" * (64 * 1024 + 1)), "larger than 64 KiB"),
        (lambda path: path.write_bytes(b"x" * 20_000), "too long"),
        (lambda path: path.write_bytes(b"\xff"), "not UTF-8"),
        (lambda path: path.write_bytes(b"a\x00b"), "no text"),
        (lambda path: path.write_bytes(b"\n"), "is empty"),
    ],
)
def test_a_file_that_holds_no_secret_is_refused(secrets_dir, make, said):
    make(secrets_dir / "pw")
    found = problems(with_password(f"{{file: {secrets_dir / 'pw'}}}"))
    assert (len(found), said in found[0]) == (1, True), found


@pytest.mark.parametrize(
    "reference", ["hemmelig", "{env: hemmelig}", "{file: hemmelig}", "{env: A B}", "{env: }", "{env: INVOICEAPP_SECRET_A, file: /b}", "{vault: x}", "{file: relativ}", "{env: [A]}", "[]", "{}"]
)  # fmt: skip
def test_a_reference_of_another_form_is_refused_without_repeating_it(reference):
    found = problems(with_password(reference))
    assert all("gateways[0].secrets.password" in line for line in found), found
    assert not any("hemmelig" in line for line in found)


def test_two_names_that_spell_the_same_get_variables_of_their_own(build):
    builder = build(1)
    found = builder.subscription("To")
    for name in ("A-B", "a b", "🧾", "💶"):
        builder.gateway(found, "ftp", name)
    text = export("To")
    names = [line.split('"')[1] for line in text.splitlines() if "env:" in line]
    assert len(set(names)) == len(names) == 4
    assert all(name.startswith("INVOICEAPP_SECRET_") for name in names)


@pytest.mark.parametrize(
    ("kind", "chosen", "secret"),
    [
        ("email", "{host: mail.example, sender: a@b.dk, auth: none}", None),
        ("email", "{host: mail.example, sender: a@b.dk, username: u}", "password"),
        ("vans", '{carrier: sftp, mailbox: "5790000000000", sftp_host: s.example, sftp_username: u}', "sftp_password"),
    ],
)
def test_only_what_counts_beside_the_other_choices_must_be_there(monkeypatch, kind, chosen, secret):
    monkeypatch.setenv("INVOICEAPP_SECRET_P", "x")
    text = f"\n  - name: M\n    kind: {kind}\n    config: {chosen}\n"
    if secret:
        text += f"    secrets: {{{secret}: {{env: INVOICEAPP_SECRET_P}}}}\n"
    run(file(text, " []"))
    assert set(one(Gateway, name="M").secrets) == ({secret} if secret else set())


def test_a_secret_that_does_not_count_any_more_goes_without_a_complaint(monkeypatch):
    monkeypatch.setenv("INVOICEAPP_SECRET_P", "x")
    text = "\n  - name: H\n    kind: http\n    config: {url: https://h.example/x, auth: %s}\n"
    run(file(text % "bearer" + "    secrets: {token: {env: INVOICEAPP_SECRET_P}}\n", " []"))
    assert run(file(text % "none", " []")) == ["gateway H: config.auth: bearer → none"]
    assert one(Gateway, name="H").secrets == {}


def with_schedules(text: str) -> str:
    return file(adaptors=ADAPTOR.replace("    defaults:", f"    {text}\n    defaults:"))


def test_schedules_are_whole_and_one_that_is_the_same_stays():
    first = with_schedules(
        'schedules: [{kind: weekdays, times: "8.00, 16.00", holidays: skip}, {kind: hourly, minute: 5}]'
    )
    lines = run(first)
    assert "adaptor Billy: schedules: – → Every weekday at 08:00 and 16:00, not on bank holidays" in lines
    assert "adaptor Billy: schedules: – → Every hour at minute 05" in lines
    kept = one(Schedule, holidays="skip")
    assert kept.next_at > utcnow() and run(first) == [] and run(file()) == []
    changed = with_schedules(
        'schedules: [{kind: weekdays, times: "08:00,16:00", holidays: skip}, {kind: cron, cron: 0 6 1 * *}]'
    )
    assert run(changed) == [
        "adaptor Billy: schedules: – → On the 1st of the month at 06:00",
        "adaptor Billy: schedules: Every hour at minute 05 → –",
    ]
    assert one(Schedule, holidays="skip").id == kept.id
    assert len(run(with_schedules("schedules: []"))) == 2 and db.session.scalars(select(Schedule)).all() == []


def test_the_form_of_older_files_is_still_read():
    scheduled = with_schedules("schedule: {everyMinutes: 60}")
    assert "adaptor Billy: schedules: – → Once an hour" in run(scheduled)
    assert one(Schedule).timing["minutes"] == 60 and run(scheduled) == []
    assert run(with_schedules("schedule: {everyMinutes: null}")) == ["adaptor Billy: schedules: Once an hour → –"]


def test_what_is_wrong_with_schedules_is_told_at_its_key():
    text = """schedules:
      - {kind: never}
      - {kind: weekly, times: 8, weekdays: "mon, tomorrow", gone: 1}
      - {kind: cron, cron: "61 * * * *", timeZone: Europe/Atlantis, holidays: perhaps, catchUp: late}
      - {kind: interval, minutes: 0, active: perhaps, pausedUntil: soon}
      - {kind: monthly, times: "08:00"}
      - {kind: cron, cron: "0 8 25 12 *", holidays: skip}
    schedule: {everyMinutes: 5}"""
    places = [
        line.split(": ")[1].split(" (")[0].removeprefix("adaptors[0].") for line in problems(with_schedules(text))
    ]
    assert sorted(places) == sorted([
        "schedules[0].kind", "schedules[1].times", "schedules[1].weekdays", "schedules[1].gone", "schedules[2].cron",
        "schedules[2].timeZone", "schedules[2].holidays", "schedules[2].catchUpHours", "schedules[3].minutes",
        "schedules[3].active", "schedules[3].pausedUntil", "schedules[4].monthDay", "schedules[5].cron", "schedule",
    ])  # fmt: skip
