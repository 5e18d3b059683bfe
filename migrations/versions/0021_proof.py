"""Month-end proofs, and the key with which they are signed

Revision ID: 0021
Revises: 0020
"""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

NAME = "month_end_proof_unchanged"
REFUSED = "a finished proof is never changed"


def upgrade() -> None:
    op.create_table(
        "signing_key",
        sa.Column("certificate", sa.Text(), nullable=False),
        sa.Column("secrets", sa.Text(), nullable=False),
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_signing_key")),
    )
    _make_proofs()


def downgrade() -> None:
    _drop_proofs()
    op.drop_table("signing_key")


def _make_proofs() -> None:
    op.create_table(
        "month_end_proof",
        sa.Column("subscription_id", sa.String(length=26), nullable=False),
        sa.Column("adaptor_id", sa.String(length=26), nullable=False),
        sa.Column("job_id", sa.String(length=26), nullable=True),
        sa.Column("first_day", sa.Date(), nullable=False),
        sa.Column("last_day", sa.Date(), nullable=False),
        sa.Column("language", sa.String(length=2), nullable=False),
        sa.Column("made_by", sa.String(length=255), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("moment", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("list_sha256", sa.String(length=64), nullable=True),
        sa.Column("result_sha256", sa.String(length=64), nullable=True),
        sa.Column("csv_sha256", sa.String(length=64), nullable=True),
        sa.Column("signature_sha256", sa.String(length=64), nullable=True),
        sa.Column("pdf_sha256", sa.String(length=64), nullable=True),
        sa.Column("summary", sa.Text(), nullable=False),
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["adaptor_id"], ["adaptor.id"], name=op.f("fk_month_end_proof_adaptor_id")),
        sa.ForeignKeyConstraint(
            ["subscription_id"], ["subscription.id"], name=op.f("fk_month_end_proof_subscription_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_month_end_proof")),
    )
    op.create_index("ix_month_end_proof_newest", "month_end_proof", ["adaptor_id", "id"])
    op.create_index(op.f("ix_month_end_proof_subscription_id"), "month_end_proof", ["subscription_id"])
    when = "BEFORE UPDATE ON month_end_proof FOR EACH ROW WHEN"
    if _is_sqlite():
        op.execute(f"CREATE TRIGGER {NAME} {when} OLD.state = 'finished' BEGIN SELECT RAISE(ABORT, '{REFUSED}'); END")
    else:
        refuse = f"RAISE EXCEPTION '{REFUSED}' USING ERRCODE = 'integrity_constraint_violation';"
        op.execute(f"CREATE FUNCTION {NAME}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {refuse} END $$")
        op.execute(f"CREATE TRIGGER {NAME} {when} (OLD.state = 'finished') EXECUTE FUNCTION {NAME}()")


def _drop_proofs() -> None:
    op.drop_table("month_end_proof")
    if not _is_sqlite():
        op.execute(f"DROP FUNCTION {NAME}()")


def _is_sqlite() -> bool:
    return op.get_bind().dialect.name == "sqlite"
