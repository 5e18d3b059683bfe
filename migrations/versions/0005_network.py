"""network

Revision ID: 0005
Revises: 0004
Create Date: 2026-11-23 05:06:33.616155

"""
from alembic import op
import sqlalchemy as sa


# revision identifiers, used by Alembic.
revision = '0005'
down_revision = '0004'
branch_labels = None
depends_on = None


def upgrade():
    op.create_table('lookup',
    sa.Column('subscription_id', sa.String(length=26), nullable=False),
    sa.Column('place', sa.String(length=64), nullable=False),
    sa.Column('register', sa.String(length=40), nullable=False),
    sa.Column('question', sa.String(length=200), nullable=False),
    sa.Column('outcome', sa.String(length=20), nullable=False),
    sa.Column('answer', sa.Text(), nullable=False),
    sa.Column('exchanges', sa.Text(), nullable=False),
    sa.Column('confirmed_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('times', sa.Integer(), nullable=False),
    sa.Column('id', sa.String(length=26), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['subscription_id'], ['subscription.id'], name=op.f('fk_lookup_subscription_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_lookup'))
    )
    with op.batch_alter_table('lookup', schema=None) as batch_op:
        batch_op.create_index('ix_lookup_newest', ['subscription_id', 'register', 'question', 'id'], unique=False)

    op.create_table('receiver',
    sa.Column('subscription_id', sa.String(length=26), nullable=False),
    sa.Column('name', sa.String(length=200), nullable=False),
    sa.Column('participants', sa.Text(), nullable=False),
    sa.Column('formats', sa.Text(), nullable=False),
    sa.Column('email', sa.String(length=255), nullable=False),
    sa.Column('is_listed', sa.Boolean(), nullable=False),
    sa.Column('id', sa.String(length=26), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['subscription_id'], ['subscription.id'], name=op.f('fk_receiver_subscription_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_receiver')),
    sa.UniqueConstraint('subscription_id', name=op.f('uq_receiver_subscription_id'))
    )
    op.create_table('match',
    sa.Column('subscription_id', sa.String(length=26), nullable=False),
    sa.Column('adaptor_id', sa.String(length=26), nullable=False),
    sa.Column('customer_id', sa.String(length=26), nullable=False),
    sa.Column('state', sa.Enum('unchecked', 'found', 'changed', 'vanished', 'not_found', 'several', 'error', name='matchstate', native_enum=False, length=20), nullable=False),
    sa.Column('is_new', sa.Boolean(), nullable=False),
    sa.Column('participant', sa.String(length=100), nullable=True),
    sa.Column('registered_name', sa.String(length=500), nullable=True),
    sa.Column('confidence', sa.Integer(), nullable=False),
    sa.Column('routes', sa.Text(), nullable=False),
    sa.Column('remarks', sa.Text(), nullable=False),
    sa.Column('pinned', sa.Text(), nullable=True),
    sa.Column('accepted', sa.Text(), nullable=True),
    sa.Column('accepted_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('accepted_by', sa.String(length=255), nullable=True),
    sa.Column('checked_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('changed_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('id', sa.String(length=26), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['adaptor_id'], ['adaptor.id'], name=op.f('fk_match_adaptor_id')),
    sa.ForeignKeyConstraint(['customer_id'], ['customer.id'], name=op.f('fk_match_customer_id')),
    sa.ForeignKeyConstraint(['subscription_id'], ['subscription.id'], name=op.f('fk_match_subscription_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_match')),
    sa.UniqueConstraint('customer_id', name=op.f('uq_match_customer_id'))
    )
    with op.batch_alter_table('match', schema=None) as batch_op:
        batch_op.create_index('ix_match_state', ['adaptor_id', 'state', 'customer_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_match_subscription_id'), ['subscription_id'], unique=False)

    with op.batch_alter_table('adaptor', schema=None) as batch_op:
        batch_op.add_column(sa.Column('next_match_at', sa.DateTime(timezone=True), nullable=True))

    with op.batch_alter_table('incoming_message', schema=None) as batch_op:
        batch_op.create_index('ix_incoming_message_name', ['gateway_id', 'name'], unique=False)

    with op.batch_alter_table('delivery', schema=None) as batch_op:
        batch_op.add_column(sa.Column('poll_at', sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column('polls', sa.Integer(), nullable=False, server_default=sa.text("'0'")))
        batch_op.create_index('ix_delivery_poll', ['poll_at'], unique=False)
        batch_op.create_index('ix_delivery_remote_ref', ['gateway_id', 'remote_ref'], unique=False)



def downgrade():
    with op.batch_alter_table('incoming_message', schema=None) as batch_op:
        batch_op.drop_index('ix_incoming_message_name')

    with op.batch_alter_table('delivery', schema=None) as batch_op:
        batch_op.drop_index('ix_delivery_remote_ref')
        batch_op.drop_index('ix_delivery_poll')
        batch_op.drop_column('polls')
        batch_op.drop_column('poll_at')

    with op.batch_alter_table('adaptor', schema=None) as batch_op:
        batch_op.drop_column('next_match_at')

    with op.batch_alter_table('match', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_match_subscription_id'))
        batch_op.drop_index('ix_match_state')

    op.drop_table('match')
    op.drop_table('receiver')
    with op.batch_alter_table('lookup', schema=None) as batch_op:
        batch_op.drop_index('ix_lookup_newest')

    op.drop_table('lookup')
