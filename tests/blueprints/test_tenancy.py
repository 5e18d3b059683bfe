"""Which adaptor an address is about: the one of the row in its path, whatever else it says."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient

from invoiceapp.models import Adaptor, Customer, Job, JobState, SettingsChange, db, utcnow
from invoiceapp.services.configuration import saving

Make = Callable[..., Any]


@pytest.fixture
def living(adaptor: Adaptor) -> Adaptor:
    """Another adaptor of the subscription."""
    row = Adaptor(
        subscription_id=adaptor.subscription_id, name="Levende", source_kind="billy", source_config={}, settings={}
    )  # fmt: skip
    db.session.add(row)
    db.session.commit()
    return row


@pytest.fixture
def deleted(adaptor: Adaptor, make_customer: Make) -> dict[str, str]:
    """The usual adaptor with a customer, a change and a job, deleted; addresses of them that change something."""
    customer: Customer = make_customer()
    change_id = saving.save_common(adaptor.id, {"general.note": "Hej"}).change_id
    job = Job(
        subscription_id=adaptor.subscription_id, adaptor_id=adaptor.id, kind="activate", state=JobState.FINISHED,
        actor="x", parameters={}, result={},
    )  # fmt: skip
    db.session.add(job)
    adaptor.deleted_at = utcnow()
    db.session.commit()
    return {
        "customer": f"/customers/{customer.id}/stop", "adaptor": f"/customers/{adaptor.id}/deactivate",
        "change": f"/settings/changes/{change_id}/undo", "job": f"/customers/jobs/{job.id}",
    }  # fmt: skip


@pytest.mark.parametrize("row", ["customer", "adaptor", "change"])
def test_a_deleted_adaptor_is_changed_by_no_address(
    signed_in: FlaskClient, adaptor: Adaptor, living: Adaptor, deleted: dict[str, str], submit: Any, row: str
) -> None:
    assert submit(signed_in, deleted[row]).status_code == 409
    assert submit(signed_in, f"{deleted[row]}?adaptor={living.id}").status_code == 404
    assert submit(signed_in, f"{deleted[row]}?adaptor={adaptor.id}").status_code == 409
    db.session.expire_all()
    assert adaptor.settings == {"general": {"note": "Hej"}}
    assert db.session.query(SettingsChange).one().undone_at is None


def test_a_job_belongs_to_its_adaptor(signed_in: FlaskClient, living: Adaptor, deleted: dict[str, str]) -> None:
    assert signed_in.get(deleted["job"]).status_code == 409
    assert signed_in.get(f"{deleted['job']}?adaptor={living.id}").status_code == 404


def test_a_row_of_another_adaptor_than_the_address_names_is_not_found(
    signed_in: FlaskClient, adaptor: Adaptor, living: Adaptor, make_customer: Make
) -> None:
    customer = make_customer()
    assert signed_in.get(f"/customers/{customer.id}?adaptor={adaptor.id}").status_code == 200
    assert signed_in.get(f"/customers/{customer.id}?adaptor={living.id}").status_code == 404
