"""configuration flow

Revision ID: 0003
Revises: 0002
Create Date: 2026-11-22 22:23:34.227997

"""
from alembic import op
import sqlalchemy as sa


# revision identifiers, used by Alembic.
revision = '0003'
down_revision = '0002'
branch_labels = None
depends_on = None


def upgrade():
    # Rows that exist get the defaults of the models: nothing is sent otherwise than before.
    op.create_table('job',
    sa.Column('subscription_id', sa.String(length=26), nullable=False),
    sa.Column('adaptor_id', sa.String(length=26), nullable=False),
    sa.Column('kind', sa.String(length=30), nullable=False),
    sa.Column('parameters', sa.Text(), nullable=False),
    sa.Column('actor', sa.String(length=255), nullable=False),
    sa.Column('state', sa.Enum('queued', 'running', 'finished', 'failed', name='jobstate', native_enum=False, length=20), nullable=False),
    sa.Column('done', sa.Integer(), nullable=False),
    sa.Column('total', sa.Integer(), nullable=True),
    sa.Column('cursor', sa.String(length=600), nullable=True),
    sa.Column('result', sa.Text(), nullable=False),
    sa.Column('error', sa.Text(), nullable=True),
    sa.Column('tries', sa.Integer(), nullable=False),
    sa.Column('lease_until', sa.DateTime(timezone=True), nullable=True),
    sa.Column('lease_token', sa.String(length=40), nullable=True),
    sa.Column('finished_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('id', sa.String(length=26), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['adaptor_id'], ['adaptor.id'], name=op.f('fk_job_adaptor_id')),
    sa.ForeignKeyConstraint(['subscription_id'], ['subscription.id'], name=op.f('fk_job_subscription_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_job'))
    )
    with op.batch_alter_table('job', schema=None) as batch_op:
        batch_op.create_index('ix_job_newest', ['adaptor_id', 'kind', 'id'], unique=False)
        batch_op.create_index(batch_op.f('ix_job_subscription_id'), ['subscription_id'], unique=False)
        batch_op.create_index('uq_job_active', ['adaptor_id', 'kind'], unique=True, sqlite_where=sa.text("state IN ('queued', 'running')"), postgresql_where=sa.text("state IN ('queued', 'running')"))

    op.create_table('settings_change',
    sa.Column('subscription_id', sa.String(length=26), nullable=False),
    sa.Column('adaptor_id', sa.String(length=26), nullable=False),
    sa.Column('customer_id', sa.String(length=26), nullable=True),
    sa.Column('kind', sa.String(length=30), nullable=False),
    sa.Column('actor', sa.String(length=255), nullable=False),
    sa.Column('before', sa.Text(), nullable=False),
    sa.Column('after', sa.Text(), nullable=False),
    sa.Column('undone_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('undone_by', sa.String(length=255), nullable=True),
    sa.Column('id', sa.String(length=26), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['adaptor_id'], ['adaptor.id'], name=op.f('fk_settings_change_adaptor_id')),
    sa.ForeignKeyConstraint(['customer_id'], ['customer.id'], name=op.f('fk_settings_change_customer_id')),
    sa.ForeignKeyConstraint(['subscription_id'], ['subscription.id'], name=op.f('fk_settings_change_subscription_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_settings_change'))
    )
    with op.batch_alter_table('settings_change', schema=None) as batch_op:
        batch_op.create_index('ix_settings_change_newest', ['adaptor_id', 'id'], unique=False)
        batch_op.create_index(batch_op.f('ix_settings_change_subscription_id'), ['subscription_id'], unique=False)

    op.create_table('preflight_result',
    sa.Column('subscription_id', sa.String(length=26), nullable=False),
    sa.Column('adaptor_id', sa.String(length=26), nullable=False),
    sa.Column('document_id', sa.String(length=26), nullable=False),
    sa.Column('customer_id', sa.String(length=26), nullable=False),
    sa.Column('format', sa.String(length=40), nullable=False),
    sa.Column('fingerprint', sa.String(length=64), nullable=False),
    sa.Column('may_leave', sa.Boolean(), nullable=False),
    sa.Column('findings', sa.Text(), nullable=False),
    sa.Column('checked_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('id', sa.String(length=26), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['adaptor_id'], ['adaptor.id'], name=op.f('fk_preflight_result_adaptor_id')),
    sa.ForeignKeyConstraint(['customer_id'], ['customer.id'], name=op.f('fk_preflight_result_customer_id')),
    sa.ForeignKeyConstraint(['document_id'], ['document.id'], name=op.f('fk_preflight_result_document_id')),
    sa.ForeignKeyConstraint(['subscription_id'], ['subscription.id'], name=op.f('fk_preflight_result_subscription_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_preflight_result')),
    sa.UniqueConstraint('document_id', name=op.f('uq_preflight_result_document_id'))
    )
    with op.batch_alter_table('preflight_result', schema=None) as batch_op:
        batch_op.create_index('ix_preflight_result_customer', ['adaptor_id', 'customer_id'], unique=False)

    with op.batch_alter_table('adaptor', schema=None) as batch_op:
        batch_op.add_column(sa.Column('description', sa.String(length=2000), nullable=False, server_default=sa.text("''")))
        batch_op.add_column(sa.Column('environment', sa.Enum('test', 'live', name='environment', native_enum=False, length=20), nullable=False, server_default=sa.text("'live'")))
        batch_op.add_column(sa.Column('deleted_at', sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column('secret_references', sa.Text(), nullable=False, server_default=sa.text("'{}'")))
        batch_op.add_column(sa.Column('new_customers', sa.Enum('ask', 'activate', 'ignore', name='newcustomers', native_enum=False, length=20), nullable=False, server_default=sa.text("'ask'")))
        batch_op.add_column(sa.Column('customers_read_at', sa.DateTime(timezone=True), nullable=True))

    with op.batch_alter_table('customer', schema=None) as batch_op:
        batch_op.add_column(sa.Column('is_new', sa.Boolean(), nullable=False, server_default=sa.false()))
        batch_op.add_column(sa.Column('recent_documents', sa.Integer(), nullable=False, server_default=sa.text("'0'")))
        batch_op.add_column(sa.Column('readiness', sa.Enum('unchecked', 'ready', 'needs', name='readiness', native_enum=False, length=20), nullable=False, server_default=sa.text("'unchecked'")))
        batch_op.add_column(sa.Column('problems', sa.Text(), nullable=False, server_default=sa.text("'[]'")))
        batch_op.create_index('ix_customer_readiness', ['adaptor_id', 'readiness', 'name', 'id'], unique=False)
        batch_op.create_index('ix_customer_volume', ['adaptor_id', 'recent_documents', 'id'], unique=False)

    with op.batch_alter_table('delivery', schema=None) as batch_op:
        batch_op.add_column(sa.Column('environment', sa.Enum('test', 'live', name='environment', native_enum=False, length=20), nullable=False, server_default=sa.text("'live'")))

    with op.batch_alter_table('document', schema=None) as batch_op:
        batch_op.add_column(sa.Column('send_anyway', sa.Boolean(), nullable=False, server_default=sa.false()))

    with op.batch_alter_table('export_rule', schema=None) as batch_op:
        batch_op.add_column(sa.Column('approved_at', sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column('approved_by', sa.String(length=255), nullable=True))

    with op.batch_alter_table('gateway', schema=None) as batch_op:
        batch_op.add_column(sa.Column('environment', sa.Enum('test', 'live', name='environment', native_enum=False, length=20), nullable=False, server_default=sa.text("'live'")))
        batch_op.add_column(sa.Column('secret_references', sa.Text(), nullable=False, server_default=sa.text("'{}'")))

    with op.batch_alter_table('run', schema=None) as batch_op:
        batch_op.add_column(sa.Column('only_reads', sa.Boolean(), nullable=False, server_default=sa.false()))



def downgrade():
    with op.batch_alter_table('run', schema=None) as batch_op:
        batch_op.drop_column('only_reads')

    with op.batch_alter_table('gateway', schema=None) as batch_op:
        batch_op.drop_column('secret_references')
        batch_op.drop_column('environment')

    with op.batch_alter_table('export_rule', schema=None) as batch_op:
        batch_op.drop_column('approved_by')
        batch_op.drop_column('approved_at')

    with op.batch_alter_table('document', schema=None) as batch_op:
        batch_op.drop_column('send_anyway')

    with op.batch_alter_table('delivery', schema=None) as batch_op:
        batch_op.drop_column('environment')

    with op.batch_alter_table('customer', schema=None) as batch_op:
        batch_op.drop_index('ix_customer_volume')
        batch_op.drop_index('ix_customer_readiness')
        batch_op.drop_column('problems')
        batch_op.drop_column('readiness')
        batch_op.drop_column('recent_documents')
        batch_op.drop_column('is_new')

    with op.batch_alter_table('adaptor', schema=None) as batch_op:
        batch_op.drop_column('customers_read_at')
        batch_op.drop_column('new_customers')
        batch_op.drop_column('secret_references')
        batch_op.drop_column('deleted_at')
        batch_op.drop_column('environment')
        batch_op.drop_column('description')

    with op.batch_alter_table('preflight_result', schema=None) as batch_op:
        batch_op.drop_index('ix_preflight_result_customer')

    op.drop_table('preflight_result')
    with op.batch_alter_table('settings_change', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_settings_change_subscription_id'))
        batch_op.drop_index('ix_settings_change_newest')

    op.drop_table('settings_change')
    with op.batch_alter_table('job', schema=None) as batch_op:
        batch_op.drop_index('uq_job_active', sqlite_where=sa.text("state IN ('queued', 'running')"), postgresql_where=sa.text("state IN ('queued', 'running')"))
        batch_op.drop_index(batch_op.f('ix_job_subscription_id'))
        batch_op.drop_index('ix_job_newest')

    op.drop_table('job')
