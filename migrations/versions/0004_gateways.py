"""gateways

Revision ID: 0004
Revises: 0003
Create Date: 2026-11-23 01:53:11.530432

"""
from alembic import op
import sqlalchemy as sa


# revision identifiers, used by Alembic.
revision = '0004'
down_revision = '0003'
branch_labels = None
depends_on = None


def upgrade():
    op.create_table('host_slot',
    sa.Column('host', sa.String(length=255), nullable=False),
    sa.Column('number', sa.Integer(), nullable=False),
    sa.Column('token', sa.String(length=40), nullable=True),
    sa.Column('until', sa.DateTime(timezone=True), nullable=True),
    sa.PrimaryKeyConstraint('host', 'number', name=op.f('pk_host_slot'))
    )
    op.create_table('incoming_message',
    sa.Column('subscription_id', sa.String(length=26), nullable=False),
    sa.Column('gateway_id', sa.String(length=26), nullable=False),
    sa.Column('name', sa.String(length=255), nullable=False),
    sa.Column('headers', sa.Text(), nullable=False),
    sa.Column('sha256', sa.String(length=64), nullable=False),
    sa.Column('size', sa.Integer(), nullable=False),
    sa.Column('state', sa.Enum('waiting', 'matched', 'unreadable', name='incomingstate', native_enum=False, length=20), nullable=False),
    sa.Column('times', sa.Integer(), nullable=False),
    sa.Column('matched_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('outcome', sa.Text(), nullable=False),
    sa.Column('id', sa.String(length=26), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['gateway_id'], ['gateway.id'], name=op.f('fk_incoming_message_gateway_id')),
    sa.ForeignKeyConstraint(['subscription_id'], ['subscription.id'], name=op.f('fk_incoming_message_subscription_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_incoming_message')),
    sa.UniqueConstraint('gateway_id', 'sha256', name=op.f('uq_incoming_message_gateway_id_sha256'))
    )
    with op.batch_alter_table('incoming_message', schema=None) as batch_op:
        batch_op.create_index('ix_incoming_message_newest', ['gateway_id', 'id'], unique=False)
        batch_op.create_index('ix_incoming_message_state', ['state', 'id'], unique=False)
        batch_op.create_index(batch_op.f('ix_incoming_message_subscription_id'), ['subscription_id'], unique=False)

    with op.batch_alter_table('attempt', schema=None) as batch_op:
        batch_op.add_column(sa.Column('place', sa.String(length=40), nullable=True))

    with op.batch_alter_table('delivery', schema=None) as batch_op:
        batch_op.create_index('ix_delivery_idem_key', ['idem_key'], unique=False)

    with op.batch_alter_table('gateway', schema=None) as batch_op:
        batch_op.add_column(sa.Column('failures', sa.Integer(), nullable=False, server_default=sa.text("'0'")))
        batch_op.add_column(sa.Column('failing_since', sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column('retry_at', sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column('expiries', sa.Text(), nullable=False, server_default=sa.text("'[]'")))
        batch_op.add_column(sa.Column('expiries_at', sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column('expiry_level', sa.Integer(), nullable=True))
        batch_op.add_column(sa.Column('seen', sa.Text(), nullable=False, server_default=sa.text("'{}'")))
        batch_op.add_column(sa.Column('collect_at', sa.DateTime(timezone=True), nullable=True))



def downgrade():
    with op.batch_alter_table('gateway', schema=None) as batch_op:
        batch_op.drop_column('collect_at')
        batch_op.drop_column('seen')
        batch_op.drop_column('expiry_level')
        batch_op.drop_column('expiries_at')
        batch_op.drop_column('expiries')
        batch_op.drop_column('retry_at')
        batch_op.drop_column('failing_since')
        batch_op.drop_column('failures')

    with op.batch_alter_table('delivery', schema=None) as batch_op:
        batch_op.drop_index('ix_delivery_idem_key')

    with op.batch_alter_table('attempt', schema=None) as batch_op:
        batch_op.drop_column('place')

    with op.batch_alter_table('incoming_message', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_incoming_message_subscription_id'))
        batch_op.drop_index('ix_incoming_message_state')
        batch_op.drop_index('ix_incoming_message_newest')

    op.drop_table('incoming_message')
    op.drop_table('host_slot')
