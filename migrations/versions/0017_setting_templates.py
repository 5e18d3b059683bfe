"""Templates of settings

Revision ID: 0017
Revises: 0016
"""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "setting_template",
        sa.Column("subscription_id", sa.String(length=26), nullable=False),
        sa.Column("adaptor_id", sa.String(length=26), nullable=True),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("settings", sa.Text(), nullable=False),
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("grants", sa.Text(), nullable=False),
        sa.Column("is_locked", sa.Boolean(), nullable=False),
        sa.Column("creator_id", sa.String(length=26), nullable=True),
        sa.ForeignKeyConstraint(["adaptor_id"], ["adaptor.id"], name="fk_setting_template_adaptor_id"),
        sa.ForeignKeyConstraint(["creator_id"], ["user_account.id"], name="fk_setting_template_creator_id"),
        sa.ForeignKeyConstraint(["subscription_id"], ["subscription.id"], name="fk_setting_template_subscription_id"),
        sa.PrimaryKeyConstraint("id", name="pk_setting_template"),
        sa.UniqueConstraint("subscription_id", "name", name="uq_setting_template_subscription_id_name"),
    )


def downgrade() -> None:
    op.drop_table("setting_template")
