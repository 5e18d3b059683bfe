"""The audit log

Revision ID: 0013
Revises: 0012
"""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

REFUSED = "the audit log is append-only"
TAKEN = (
    "EXISTS (SELECT 1 FROM audit_entry WHERE id = NEW.id) "
    "OR NEW.seq <= coalesce((SELECT max(seq) FROM audit_entry WHERE chain = NEW.chain), 0)"
)
KEPT = "OLD.seq >= coalesce((SELECT kept_from FROM audit_chain WHERE chain = OLD.chain), 0)"
BACK = "NEW.chain <> OLD.chain OR NEW.seq < OLD.seq OR NEW.kept_from < OLD.kept_from OR NEW.kept_from > NEW.seq"
#: As models/audit.py had them then: trigger, table, moment, condition under which it refuses.
TRIGGERS = (
    ("audit_entry_appended", "audit_entry", "INSERT", TAKEN),
    ("audit_entry_unchanged", "audit_entry", "UPDATE", ""),
    ("audit_entry_kept", "audit_entry", "DELETE", KEPT),
    ("audit_chain_forward", "audit_chain", "UPDATE", f"OLD.seq > 0 AND ({BACK})"),
    ("audit_chain_kept", "audit_chain", "DELETE", ""),
)


def upgrade() -> None:
    op.create_table(
        "audit_entry",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("chain", sa.String(length=26), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor_kind", sa.String(length=20), nullable=False),
        sa.Column("actor", sa.String(length=255), nullable=False),
        sa.Column("user_id", sa.String(length=26), nullable=True),
        sa.Column("ip", sa.String(length=64), nullable=True),
        sa.Column("request_id", sa.String(length=26), nullable=True),
        sa.Column("act", sa.String(length=100), nullable=False),
        sa.Column("object_kind", sa.String(length=40), nullable=True),
        sa.Column("object_id", sa.String(length=64), nullable=True),
        sa.Column("object_name", sa.String(length=200), nullable=False),
        sa.Column("outcome", sa.String(length=20), nullable=False),
        sa.Column("before", sa.Text(), nullable=True),
        sa.Column("after", sa.Text(), nullable=True),
        sa.Column("previous", sa.String(length=64), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_audit_entry"),
        sa.UniqueConstraint("chain", "seq", name="uq_audit_entry_chain_seq"),
    )
    op.create_index("ix_audit_entry_at", "audit_entry", ["chain", "at"])
    op.create_index("ix_audit_entry_actor", "audit_entry", ["chain", "actor", "seq"])
    op.create_index("ix_audit_entry_act", "audit_entry", ["chain", "act", "seq"])
    op.create_index("ix_audit_entry_object", "audit_entry", ["chain", "object_id", "seq"])
    op.create_table(
        "audit_chain",
        sa.Column("chain", sa.String(length=26), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("kept_from", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("chain", name="pk_audit_chain"),
    )
    make = sqlite if op.get_bind().dialect.name == "sqlite" else postgresql
    for trigger in TRIGGERS:
        make(*trigger)
    if make is postgresql:
        op.execute(
            "CREATE TRIGGER audit_entry_whole BEFORE TRUNCATE ON audit_entry "
            "FOR EACH STATEMENT EXECUTE FUNCTION audit_entry_unchanged()"
        )


def sqlite(name: str, table: str, moment: str, condition: str) -> None:
    when = f"WHEN {condition}" if condition else ""
    op.execute(
        f"CREATE TRIGGER {name} BEFORE {moment} ON {table} FOR EACH ROW {when} "
        f"BEGIN SELECT RAISE(ABORT, '{REFUSED}'); END"
    )


def postgresql(name: str, table: str, moment: str, condition: str) -> None:
    refuse = f"RAISE EXCEPTION '{REFUSED}' USING ERRCODE = 'integrity_constraint_violation';"
    body = f"IF {condition} THEN {refuse} END IF;" if condition else refuse
    row = "OLD" if moment == "DELETE" else "NEW"
    op.execute(f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body} RETURN {row}; END $$")
    op.execute(f"CREATE TRIGGER {name} BEFORE {moment} ON {table} FOR EACH ROW EXECUTE FUNCTION {name}()")


def downgrade() -> None:
    op.drop_table("audit_chain")
    op.drop_table("audit_entry")
    if op.get_bind().dialect.name == "postgresql":
        for name, *_ in TRIGGERS:
            op.execute(f"DROP FUNCTION {name}()")
