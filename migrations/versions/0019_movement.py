"""Deliveries move only along the table, the history of each document's status, and what the source says of it later

Revision ID: 0019
Revises: 0018
"""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

LEGAL = """
    accepted>acknowledged accepted>delivered accepted>outcome_unknown accepted>rejected accepted>superseded
    acknowledged>superseded blocked>cancelled blocked>outcome_unknown blocked>pending blocked>superseded
    cancelled>superseded delivered>acknowledged delivered>rejected delivered>superseded failed>accepted
    failed>cancelled failed>outcome_unknown failed>pending failed>superseded leased>failed leased>outcome_unknown
    leased>pending leased>sending outcome_unknown>accepted outcome_unknown>cancelled outcome_unknown>pending
    outcome_unknown>superseded pending>accepted pending>blocked pending>cancelled pending>failed pending>leased
    pending>outcome_unknown pending>superseded rejected>superseded sending>accepted sending>failed
    sending>outcome_unknown sending>pending sending>rejected
""".split()
ILLEGAL = f"OLD.state <> NEW.state AND (OLD.state || '>' || NEW.state) NOT IN ({', '.join(map(repr, LEGAL))})"
GUARDS = {
    "delivery_moves_legally": ("state", ILLEGAL, "a delivery may not move like that"),
    "delivery_fence_grows": ("fence", "NEW.fence < OLD.fence", "the fence of a delivery never falls"),
}
NOTES = {"history_document_made": "INSERT", "history_document_moved": "UPDATE OF status_at"}
LAST = "(SELECT max(id) FROM status_change WHERE document_id = NEW.id)"
NOTE = (
    "INSERT INTO status_change (document_id, delivery_id, status, at) "
    "SELECT NEW.id, NEW.delivery_id, NEW.status, {now} WHERE NOT EXISTS (SELECT 1 FROM status_change "
    f"WHERE id = {LAST} AND status = NEW.status AND coalesce(delivery_id, '') = coalesce(NEW.delivery_id, ''));"
)


def upgrade() -> None:
    # Plain, because to make the table anew would drop its triggers.
    op.add_column("document", sa.Column("credits_source_id", sa.String(length=64), nullable=True))
    op.add_column("document", sa.Column("source_change", sa.Text(), nullable=True))
    op.add_column("document", sa.Column("source_looked_at", sa.DateTime(timezone=True), nullable=True))
    op.create_index("ix_document_credits", "document", ["adaptor_id", "credits_source_id"])
    op.create_table(
        "status_change",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("document_id", sa.String(length=26), nullable=False),
        sa.Column("delivery_id", sa.String(length=26), nullable=True),
        sa.Column("status", sa.String(length=20), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["document_id"], ["document.id"], name=op.f("fk_status_change_document_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_status_change")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_status_change_document", "status_change", ["document_id", "id"])
    op.execute(
        "INSERT INTO status_change (document_id, delivery_id, status, at) "
        "SELECT id, delivery_id, status, status_at FROM document ORDER BY status_at, id"
    )
    for statement in _sqlite() if _is_sqlite() else _postgresql():
        _execute(statement)


def _is_sqlite() -> bool:
    return op.get_bind().dialect.name == "sqlite"


def _sqlite():
    note = NOTE.format(now="strftime('%Y-%m-%d %H:%M:%f000', 'now')")
    for name, (column, condition, refusal) in GUARDS.items():
        yield (
            f"CREATE TRIGGER {name} BEFORE UPDATE OF {column} ON delivery FOR EACH ROW WHEN {condition} "
            f"BEGIN SELECT RAISE(ABORT, '{refusal}'); END"
        )
    for name, moment in NOTES.items():
        yield f"CREATE TRIGGER {name} AFTER {moment} ON document FOR EACH ROW BEGIN {note} END"


def _postgresql():
    for name, (column, condition, refusal) in GUARDS.items():
        refuse = f"RAISE EXCEPTION '{refusal}' USING ERRCODE = 'integrity_constraint_violation';"
        yield _function(name, refuse)
        yield _trigger(name, f"BEFORE UPDATE OF {column} ON delivery", condition)
    for name, moment in NOTES.items():
        yield _function(name, f"{NOTE.format(now='clock_timestamp()')} RETURN NULL;")
        yield _trigger(name, f"AFTER {moment} ON document")


def _function(name, body):
    return f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body} END $$"


def _trigger(name, moment, condition=""):
    when = f"WHEN ({condition})" if condition else ""
    return f"CREATE TRIGGER {name} {moment} FOR EACH ROW {when} EXECUTE FUNCTION {name}()"


def _execute(statement):
    # As it is: colons and percent signs are no parameters.
    op.get_bind().exec_driver_sql(statement if _is_sqlite() else statement.replace("%", "%%"))


def downgrade() -> None:
    for name, table in [(name, "delivery") for name in GUARDS] + [(name, "document") for name in NOTES]:
        if _is_sqlite():
            _execute(f"DROP TRIGGER {name}")
        else:
            _execute(f"DROP TRIGGER {name} ON {table}")
            _execute(f"DROP FUNCTION {name}()")
    op.drop_table("status_change")
    op.drop_index("ix_document_credits", "document")
    for column in ("source_looked_at", "source_change", "credits_source_id"):
        op.drop_column("document", column)
