"""One document for each number of a seller, and the order of credit notes

Documents that have arrived, that may have arrived, or that are under way keep their numbers, in this order; of two, the
older sending does. Credit notes that were read before learn which invoice they take back.

Revision ID: 0020
Revises: 0019
"""

import json
import re
import unicodedata
from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

UNCLEAR = """EXISTS (
    SELECT 1 FROM attempt WHERE attempt.delivery_id = delivery.id
    AND (attempt.outcome IS NULL OR attempt.outcome IN ('unknown', 'accepted')))"""
HOLDING = (
    "delivery.state IN ('accepted', 'delivered', 'acknowledged')",
    f"delivery.state IN ('sending', 'outcome_unknown') OR delivery.state IN ('pending', 'cancelled', 'superseded') AND {UNCLEAR}",
    "delivery.state IN ('pending', 'leased')",
)
LEFT = """
    SELECT delivery.id, delivery.document_id, delivery.environment, document.subscription_id, document.type,
           document.number, document.adaptor_id
    FROM delivery JOIN document ON document.id = delivery.document_id
    WHERE delivery.id > :after AND ({holding})
    ORDER BY delivery.id LIMIT 500
"""
CREDIT_NOTES = "SELECT id, bundle FROM document WHERE type = 'creditNote' AND id > :after ORDER BY id LIMIT 100"


def upgrade() -> None:
    op.create_table(
        "sent_number",
        sa.Column("subscription_id", sa.String(length=26), nullable=False),
        sa.Column("environment", sa.String(length=20), nullable=False),
        sa.Column("seller", sa.String(length=120), nullable=False),
        sa.Column("type", sa.String(length=30), nullable=False),
        sa.Column("number", sa.String(length=200), nullable=False),
        sa.Column("document_id", sa.String(length=26), nullable=False),
        sa.Column("taken_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["subscription_id"], ["subscription.id"], name=op.f("fk_sent_number_subscription_id")),
        sa.ForeignKeyConstraint(["document_id"], ["document.id"], name=op.f("fk_sent_number_document_id")),
        sa.PrimaryKeyConstraint(
            "subscription_id", "environment", "seller", "type", "number", name=op.f("pk_sent_number")
        ),
    )
    op.create_index(op.f("ix_sent_number_document_id"), "sent_number", ["document_id"])
    # Plain, because to make the table anew would drop its triggers.
    op.add_column("document", sa.Column("beside_id", sa.String(length=26), nullable=True))
    op.add_column("document", sa.Column("sent_as", sa.String(length=321), nullable=True))
    op.create_index("ix_document_sent_as", "document", ["subscription_id", "sent_as"])
    op.add_column("document", sa.Column("before_invoice", sa.Boolean(), nullable=False, server_default=sa.false()))
    _take_numbers()
    _name_invoices()


def _batches(query):
    after = ""
    while rows := op.get_bind().execute(sa.text(query), {"after": after}).all():
        yield rows
        after = rows[-1].id


def _take_numbers():
    found = op.get_bind().execute(sa.text("SELECT id, source_kind, organization FROM adaptor")).all()
    sellers = {row.id: seller(row.source_kind, json.loads(row.organization or "null") or {}, row.id) for row in found}
    insert = sa.text(
        "INSERT INTO sent_number (subscription_id, environment, seller, type, number, document_id, taken_at) "
        "VALUES (:subscription_id, :environment, :seller, :type, :number, :document_id, :taken_at) ON CONFLICT DO NOTHING"
    ).bindparams(sa.bindparam("taken_at", type_=sa.DateTime(timezone=True)))
    noted = sa.text("UPDATE document SET sent_as = :sent_as WHERE id = :document_id")
    now = datetime.now(UTC)
    for rows in (batch for holding in HOLDING for batch in _batches(LEFT.format(holding=holding))):
        values = [
            {
                "subscription_id": row.subscription_id, "environment": row.environment, "type": row.type,
                "seller": sellers[row.adaptor_id], "number": normal(row.number), "document_id": row.document_id,
                "taken_at": now,
            }
            for row in rows
        ]  # fmt: skip
        op.get_bind().execute(insert, values)
        documents = [
            {"document_id": row["document_id"], "sent_as": f"{row['seller']}\n{row['number']}"} for row in values
        ]
        op.get_bind().execute(noted, documents)


def seller(kind, organization, adaptor_id):
    """As models/sent_number.py had it then."""
    if organization.get("id"):
        return f"{kind}:{organization['id']}"[:120]
    digits = re.sub(r"\D", "", str(organization.get("registration_no") or ""))
    return f"registration:{digits}"[:120] if digits else f"adaptor:{adaptor_id}"


def normal(number):
    """As models/sent_number.py had it then."""
    return "".join(unicodedata.normalize("NFKC", number).split()).casefold()[:200]


def _name_invoices():
    for rows in _batches(CREDIT_NOTES):
        for document_id, bundle in rows:
            credited = ((json.loads(bundle or "null") or {}).get("invoice") or {}).get("creditedInvoiceId")
            if isinstance(credited, str) and re.fullmatch(r"[A-Za-z0-9_-]{1,64}", credited):
                op.get_bind().execute(
                    sa.text("UPDATE document SET credits_source_id = :credited WHERE id = :id"),
                    {"credited": credited, "id": document_id},
                )


def downgrade() -> None:
    op.drop_column("document", "before_invoice")
    op.drop_index("ix_document_sent_as", "document")
    op.drop_column("document", "sent_as")
    op.drop_column("document", "beside_id")
    op.drop_table("sent_number")
