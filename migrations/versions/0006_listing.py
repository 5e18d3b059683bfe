"""listing

Revision ID: 0006
Revises: 0005
Create Date: 2026-11-23 08:20:25.370676

"""

import re
from decimal import Decimal

from alembic import op
import sqlalchemy as sa


# revision identifiers, used by Alembic.
revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

# A copy of what models/listing.py made when this was written.
SHOWN = "CASE WHEN {row}state IN ('leased', 'sending') THEN 'pending' ELSE {row}state END"
NEWEST = "(SELECT max(id) FROM delivery WHERE document_id = {row}.document_id AND state <> 'superseded')"
STATUS = f"""CASE WHEN stage IN ('queued', 'skipped', 'handled') THEN stage
    ELSE coalesce((SELECT {SHOWN.format(row="")} FROM delivery WHERE delivery.id = document.delivery_id), stage) END"""  # nosec B608
MOVED = (
    f"{SHOWN.format(row='OLD.')} <> {SHOWN.format(row='NEW.')} OR OLD.format <> NEW.format "
    "OR OLD.gateway_id <> NEW.gateway_id"
)


def follow(row):
    newest = NEWEST.format(row=row)
    return f"""
    UPDATE document SET delivery_id = {newest}
    WHERE id = {row}.document_id AND coalesce(delivery_id, '') <> coalesce({newest}, '');
    UPDATE document SET status_at = now(), status = {STATUS},
        format = (SELECT format FROM delivery WHERE delivery.id = document.delivery_id),
        gateway_id = (SELECT gateway_id FROM delivery WHERE delivery.id = document.delivery_id)
    WHERE id = {row}.document_id;"""  # nosec B608


STAGE = f"UPDATE document SET status_at = now(), status = {STATUS} WHERE id = NEW.id;"  # nosec B608
ADD = (
    "INSERT INTO tally (adaptor_id, day, status, documents, is_news) "
    "VALUES ({row}.adaptor_id, {row}.issue_date, {row}.status, {n}, TRUE);"
)
MORE, FEWER = ADD.format(row="NEW", n=1), ADD.format(row="OLD", n=-1)
TRIGGERS = {
    "listing_delivery_made": ("delivery", "INSERT", "", follow("NEW")),
    "listing_delivery_moved": ("delivery", "UPDATE", MOVED, follow("NEW")),
    "listing_delivery_gone": ("delivery", "DELETE", "", follow("OLD")),
    "listing_stage_moved": ("document", "UPDATE OF stage", "OLD.stage <> NEW.stage", STAGE),
    "tally_document_made": ("document", "INSERT", "", MORE),
    "tally_document_moved": (
        "document",
        "UPDATE OF status, issue_date",
        "OLD.status <> NEW.status OR OLD.issue_date <> NEW.issue_date",
        f"{FEWER} {MORE}",
    ),
    "tally_document_gone": ("document", "DELETE", "", FEWER),
}

# PostgreSQL: who has waited for the document must look at its deliveries anew, which only a new statement does.
LOCK = "PERFORM 1 FROM document WHERE id = {row}.document_id FOR NO KEY UPDATE;"
SEARCHED = ("number", "customer_order", "supplier_order")


def upgrade():
    op.create_table(
        "tally",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("adaptor_id", sa.String(length=26), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("status", sa.String(length=20), nullable=False),
        sa.Column("documents", sa.Integer(), nullable=False),
        sa.Column("is_news", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["adaptor_id"], ["adaptor.id"], name=op.f("fk_tally_adaptor_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tally")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("tally", schema=None) as batch_op:
        batch_op.create_index("ix_tally_adaptor", ["adaptor_id", "status", "day", "documents"], unique=False)
        batch_op.create_index("ix_tally_newest", ["adaptor_id", "id"], unique=False)
        batch_op.create_index(
            "ix_tally_news",
            ["adaptor_id"],
            unique=False,
            sqlite_where=sa.text("is_news = 1"),
            postgresql_where=sa.text("is_news"),
        )

    op.create_table(
        "problem",
        sa.Column("subscription_id", sa.String(length=26), nullable=False),
        sa.Column("adaptor_id", sa.String(length=26), nullable=False),
        sa.Column("level", sa.String(length=20), nullable=False),
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("rule", sa.String(length=80), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("turn", sa.String(length=20), nullable=False),
        sa.Column("fix", sa.String(length=200), nullable=True),
        sa.Column("status", sa.String(length=20), nullable=False),
        sa.Column("customer_id", sa.String(length=26), nullable=True),
        sa.Column("customer_name", sa.String(length=500), nullable=True),
        sa.Column("gateway_id", sa.String(length=26), nullable=True),
        sa.Column("document_id", sa.String(length=26), nullable=True),
        sa.Column("numbers", sa.Text(), nullable=False),
        sa.Column("documents", sa.Integer(), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("resolved_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["adaptor_id"], ["adaptor.id"], name=op.f("fk_problem_adaptor_id")),
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"], name=op.f("fk_problem_customer_id")),
        sa.ForeignKeyConstraint(["document_id"], ["document.id"], name=op.f("fk_problem_document_id")),
        sa.ForeignKeyConstraint(["gateway_id"], ["gateway.id"], name=op.f("fk_problem_gateway_id")),
        sa.ForeignKeyConstraint(["subscription_id"], ["subscription.id"], name=op.f("fk_problem_subscription_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_problem")),
    )
    with op.batch_alter_table("problem", schema=None) as batch_op:
        batch_op.create_index("ix_problem_newest", ["adaptor_id", "resolved_at", "id"], unique=False)
        batch_op.create_index("ix_problem_subscription", ["subscription_id", "id"], unique=False)
        batch_op.create_index(
            "uq_problem_open",
            ["adaptor_id", "key"],
            unique=True,
            sqlite_where=sa.text("resolved_at IS NULL"),
            postgresql_where=sa.text("resolved_at IS NULL"),
        )

    op.create_table(
        "problem_document",
        sa.Column("problem_id", sa.String(length=26), nullable=False),
        sa.Column("document_id", sa.String(length=26), nullable=False),
        sa.ForeignKeyConstraint(["document_id"], ["document.id"], name=op.f("fk_problem_document_document_id")),
        sa.ForeignKeyConstraint(["problem_id"], ["problem.id"], name=op.f("fk_problem_document_problem_id")),
        sa.PrimaryKeyConstraint("problem_id", "document_id", name=op.f("pk_problem_document")),
    )
    with op.batch_alter_table("problem_document", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_problem_document_document_id"), ["document_id"], unique=False)

    with op.batch_alter_table("document", schema=None) as batch_op:
        batch_op.add_column(sa.Column("customer_order", sa.String(length=200), nullable=True))
        batch_op.add_column(sa.Column("supplier_order", sa.String(length=200), nullable=True))
        batch_op.add_column(
            sa.Column("number_key", sa.String(length=200), nullable=False, server_default=sa.text("''"))
        )
        batch_op.add_column(sa.Column("amount_key", sa.BigInteger(), nullable=False, server_default=sa.text("0")))
        batch_op.add_column(
            sa.Column("status", sa.String(length=20), nullable=False, server_default=sa.text("'listed'"))
        )
        batch_op.add_column(
            sa.Column(
                "status_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.text("'2000-01-01 00:00:00'")
            )
        )
        batch_op.add_column(sa.Column("delivery_id", sa.String(length=26), nullable=True))
        batch_op.add_column(sa.Column("format", sa.String(length=40), nullable=True))
        batch_op.add_column(sa.Column("gateway_id", sa.String(length=26), nullable=True))
        batch_op.drop_index(batch_op.f("ix_document_customer"))
        batch_op.create_index("ix_document_customer", ["customer_id", "issue_date", "id"], unique=False)
        batch_op.drop_index(batch_op.f("ix_document_newest"))
        batch_op.create_index("ix_document_newest", ["adaptor_id", "issue_date", "id"], unique=False)
        batch_op.create_index("ix_document_by_amount", ["adaptor_id", "amount_key", "id"], unique=False)
        batch_op.create_index("ix_document_by_customer", ["adaptor_id", "customer_name", "id"], unique=False)
        batch_op.create_index("ix_document_by_number", ["adaptor_id", "number_key", "id"], unique=False)
        batch_op.drop_index(batch_op.f("ix_document_number"))
        batch_op.create_index("ix_document_gateway", ["gateway_id", "issue_date", "id"], unique=False)
        batch_op.create_index("ix_document_status", ["adaptor_id", "status", "issue_date", "id"], unique=False)
    with op.batch_alter_table("job", schema=None) as batch_op:
        batch_op.add_column(sa.Column("items", sa.Text(), nullable=True))

    for column in SEARCHED:
        op.create_index(
            f"ix_document_{column}", "document", ["subscription_id", sa.text(beginning(column))], unique=False
        )
    fill()
    make_triggers()


def beginning(column):
    is_sqlite = op.get_bind().dialect.name == "sqlite"
    return f"{column} COLLATE NOCASE" if is_sqlite else f"lower({column}) text_pattern_ops"


def fill():
    connection, last = op.get_bind(), ""
    batch = sa.text("SELECT id, number, net, vat FROM document WHERE id > :last ORDER BY id LIMIT 5000")
    while rows := connection.execute(batch, {"last": last}).all():
        last = rows[-1].id
        keys = [
            {
                "id": row.id,
                "number": _number_key(row.number),
                "amount": int((Decimal(row.net) + Decimal(row.vat)) * 10_000),
            }
            for row in rows
        ]
        connection.execute(
            sa.text("UPDATE document SET number_key = :number, amount_key = :amount WHERE id = :id"), keys
        )
    op.execute("""UPDATE document SET customer_order = order_number, status_at = updated_at, delivery_id = (
        SELECT max(id) FROM delivery WHERE document_id = document.id AND state <> 'superseded')""")
    op.execute(f"""UPDATE document SET status = {STATUS},
        format = (SELECT format FROM delivery WHERE delivery.id = document.delivery_id),
        gateway_id = (SELECT gateway_id FROM delivery WHERE delivery.id = document.delivery_id)""")  # nosec B608
    op.execute("""INSERT INTO tally (adaptor_id, day, status, documents, is_news)
        SELECT adaptor_id, issue_date, status, count(*), TRUE FROM document GROUP BY adaptor_id, issue_date, status""")


def _number_key(number):
    return re.sub(r"\d+", lambda found: found[0].zfill(12), number)[:200]


def make_triggers():
    for name, (table, moment, condition, body) in TRIGGERS.items():
        if op.get_bind().dialect.name == "sqlite":
            when = f"WHEN {condition}" if condition else ""
            body = body.replace("now()", "strftime('%Y-%m-%d %H:%M:%f000', 'now')")
            _execute(f"CREATE TRIGGER {name} AFTER {moment} ON {table} FOR EACH ROW {when} BEGIN {body} END")
        else:
            when = f"WHEN ({condition})" if condition else ""
            if table == "delivery":
                body = LOCK.format(row="OLD" if moment == "DELETE" else "NEW") + body
            _execute(
                f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body} RETURN NULL; END $$"
            )
            _execute(f"CREATE TRIGGER {name} AFTER {moment} ON {table} FOR EACH ROW {when} EXECUTE FUNCTION {name}()")


def _execute(statement):
    # As it is: colons and percent signs are no parameters.
    op.get_bind().exec_driver_sql(
        statement.replace("%", "%%") if op.get_bind().dialect.name == "postgresql" else statement
    )


def downgrade():
    for name, (table, *_) in TRIGGERS.items():
        if op.get_bind().dialect.name == "sqlite":
            _execute(f"DROP TRIGGER {name}")
        else:
            _execute(f"DROP TRIGGER {name} ON {table}")
            _execute(f"DROP FUNCTION {name}()")
    with op.batch_alter_table("job", schema=None) as batch_op:
        batch_op.drop_column("items")

    for column in SEARCHED:
        op.drop_index(f"ix_document_{column}", "document")
    with op.batch_alter_table("document", schema=None) as batch_op:
        batch_op.create_index("ix_document_number", ["subscription_id", "number"], unique=False)
        batch_op.drop_index("ix_document_status")
        batch_op.drop_index("ix_document_gateway")
        batch_op.drop_index("ix_document_by_number")
        batch_op.drop_index("ix_document_by_customer")
        batch_op.drop_index("ix_document_by_amount")
        batch_op.drop_index("ix_document_newest")
        batch_op.create_index(
            batch_op.f("ix_document_newest"), ["subscription_id", "adaptor_id", "issue_date", "id"], unique=False
        )
        batch_op.drop_index("ix_document_customer")
        batch_op.create_index(batch_op.f("ix_document_customer"), ["customer_id", "issue_date"], unique=False)
        batch_op.drop_column("gateway_id")
        batch_op.drop_column("format")
        batch_op.drop_column("delivery_id")
        batch_op.drop_column("status_at")
        batch_op.drop_column("status")
        batch_op.drop_column("amount_key")
        batch_op.drop_column("number_key")
        batch_op.drop_column("supplier_order")
        batch_op.drop_column("customer_order")

    with op.batch_alter_table("problem_document", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_problem_document_document_id"))

    op.drop_table("problem_document")
    with op.batch_alter_table("problem", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_problem_open",
            sqlite_where=sa.text("resolved_at IS NULL"),
            postgresql_where=sa.text("resolved_at IS NULL"),
        )
        batch_op.drop_index("ix_problem_subscription")
        batch_op.drop_index("ix_problem_newest")

    op.drop_table("problem")
    with op.batch_alter_table("tally", schema=None) as batch_op:
        batch_op.drop_index("ix_tally_news")
        batch_op.drop_index("ix_tally_newest")
        batch_op.drop_index("ix_tally_adaptor")

    op.drop_table("tally")
