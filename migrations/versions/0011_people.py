"""Groups, invitations, sharing, and what a membership may do

Revision ID: 0011
Revises: 0010
"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

ROLE = sa.Enum("owner", "admin", "member", "auditor", name="role", native_enum=False, length=20)
#: As it was before there was sharing: members export, administrators set up.
FOR_ALL = '[{"to":"everybody","level":"operator"},{"to":"admins","level":"manager"}]'


def upgrade() -> None:
    with op.batch_alter_table("subscription") as batch:
        batch.add_column(sa.Column("needs_second_factor", sa.Boolean(), nullable=False, server_default=sa.false()))
    with op.batch_alter_table("subscription") as batch:
        batch.alter_column(
            "needs_second_factor", existing_type=sa.Boolean(), existing_nullable=False, server_default=None
        )
    with op.batch_alter_table("membership") as batch:
        batch.add_column(sa.Column("last_day", sa.Date(), nullable=True))
        batch.add_column(sa.Column("suspended_at", sa.DateTime(timezone=True), nullable=True))
    for table in ("adaptor", "gateway"):
        with op.batch_alter_table(table) as batch:
            batch.add_column(sa.Column("creator_id", sa.String(length=26), nullable=True))
            batch.add_column(sa.Column("grants", sa.Text(), nullable=False, server_default=FOR_ALL))
            batch.add_column(sa.Column("is_locked", sa.Boolean(), nullable=False, server_default=sa.false()))
            batch.create_foreign_key(f"fk_{table}_creator_id", "user_account", ["creator_id"], ["id"])
        with op.batch_alter_table(table) as batch:
            batch.alter_column("grants", existing_type=sa.Text(), existing_nullable=False, server_default=None)
            batch.alter_column("is_locked", existing_type=sa.Boolean(), existing_nullable=False, server_default=None)
    op.create_table(
        "user_group",
        sa.Column("subscription_id", sa.String(length=26), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["subscription_id"], ["subscription.id"], name="fk_user_group_subscription_id"),
        sa.PrimaryKeyConstraint("id", name="pk_user_group"),
        sa.UniqueConstraint("subscription_id", "name", name="uq_user_group_subscription_id_name"),
    )
    op.create_table(
        "group_member",
        sa.Column("group_id", sa.String(length=26), nullable=False),
        sa.Column("membership_id", sa.String(length=26), nullable=False),
        sa.ForeignKeyConstraint(["group_id"], ["user_group.id"], name="fk_group_member_group_id"),
        sa.ForeignKeyConstraint(["membership_id"], ["membership.id"], name="fk_group_member_membership_id"),
        sa.PrimaryKeyConstraint("group_id", "membership_id", name="pk_group_member"),
    )
    op.create_index("ix_group_member_membership_id", "group_member", ["membership_id"])
    op.create_table(
        "invitation",
        sa.Column("subscription_id", sa.String(length=26), nullable=False),
        sa.Column("email", sa.String(length=255), nullable=False),
        sa.Column("role", ROLE, nullable=False),
        sa.Column("group_ids", sa.Text(), nullable=False),
        sa.Column("last_day", sa.Date(), nullable=True),
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("invited_by_id", sa.String(length=26), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("accepted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("accepted_by_id", sa.String(length=26), nullable=True),
        sa.Column("withdrawn_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["accepted_by_id"], ["user_account.id"], name="fk_invitation_accepted_by_id"),
        sa.ForeignKeyConstraint(["invited_by_id"], ["user_account.id"], name="fk_invitation_invited_by_id"),
        sa.ForeignKeyConstraint(["subscription_id"], ["subscription.id"], name="fk_invitation_subscription_id"),
        sa.PrimaryKeyConstraint("id", name="pk_invitation"),
        sa.UniqueConstraint("token_hash", name="uq_invitation_token_hash"),
    )
    op.create_index("ix_invitation_open", "invitation", ["subscription_id", "email"])


def downgrade() -> None:
    op.drop_table("invitation")
    op.drop_table("group_member")
    op.drop_table("user_group")
    for table in ("gateway", "adaptor"):
        with op.batch_alter_table(table) as batch:
            batch.drop_constraint(f"fk_{table}_creator_id", type_="foreignkey")
            batch.drop_column("is_locked")
            batch.drop_column("grants")
            batch.drop_column("creator_id")
    with op.batch_alter_table("membership") as batch:
        batch.drop_column("suspended_at")
        batch.drop_column("last_day")
    with op.batch_alter_table("subscription") as batch:
        batch.drop_column("needs_second_factor")
