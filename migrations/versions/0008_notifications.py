"""notifications

Revision ID: 0008
Revises: 0007
Create Date: 2026-11-23 08:30:00

"""
from alembic import op
import sqlalchemy as sa


# revision identifiers, used by Alembic.
revision = '0008'
down_revision = '0007'
branch_labels = None
depends_on = None


def upgrade():
    op.create_table('recipient',
    sa.Column('subscription_id', sa.String(length=26), nullable=False),
    sa.Column('user_id', sa.String(length=26), nullable=True),
    sa.Column('email', sa.String(length=255), nullable=True),
    sa.Column('name', sa.String(length=200), nullable=False),
    sa.Column('language', sa.String(length=5), nullable=False),
    sa.Column('zone', sa.String(length=60), nullable=False),
    sa.Column('daily_at', sa.Time(), nullable=False),
    sa.Column('quiet_from', sa.Time(), nullable=True),
    sa.Column('quiet_until', sa.Time(), nullable=True),
    sa.Column('token_hash', sa.String(length=64), nullable=True),
    sa.Column('token_ends', sa.DateTime(timezone=True), nullable=True),
    sa.Column('confirmed_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('unsubscribed_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('id', sa.String(length=26), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['subscription_id'], ['subscription.id'], name=op.f('fk_recipient_subscription_id')),
    sa.ForeignKeyConstraint(['user_id'], ['user_account.id'], name=op.f('fk_recipient_user_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_recipient')),
    sa.UniqueConstraint('subscription_id', 'email', name=op.f('uq_recipient_subscription_id_email')),
    sa.UniqueConstraint('subscription_id', 'user_id', name=op.f('uq_recipient_subscription_id_user_id'))
    )
    op.create_index('ix_recipient_token_hash', 'recipient', ['token_hash'], unique=False)
    op.create_index(op.f('ix_recipient_user_id'), 'recipient', ['user_id'], unique=False)
    op.create_table('notification_preference',
    sa.Column('recipient_id', sa.String(length=26), nullable=False),
    sa.Column('adaptor_id', sa.String(length=26), nullable=True),
    sa.Column('negative_document', sa.Enum('now', 'hourly', 'daily', 'off', name='rhythm', native_enum=False, length=20), nullable=False),
    sa.Column('negative_adaptor', sa.Enum('now', 'hourly', 'daily', 'off', name='rhythm', native_enum=False, length=20), nullable=False),
    sa.Column('positive_document', sa.Enum('now', 'hourly', 'daily', 'off', name='rhythm', native_enum=False, length=20), nullable=False),
    sa.Column('positive_adaptor', sa.Enum('now', 'hourly', 'daily', 'off', name='rhythm', native_enum=False, length=20), nullable=False),
    sa.Column('id', sa.String(length=26), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['adaptor_id'], ['adaptor.id'], name=op.f('fk_notification_preference_adaptor_id')),
    sa.ForeignKeyConstraint(['recipient_id'], ['recipient.id'], name=op.f('fk_notification_preference_recipient_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_notification_preference'))
    )
    op.create_index('uq_notification_preference_all', 'notification_preference', ['recipient_id'], unique=True, sqlite_where=sa.text('adaptor_id IS NULL'), postgresql_where=sa.text('adaptor_id IS NULL'))
    op.create_index('uq_notification_preference_one', 'notification_preference', ['recipient_id', 'adaptor_id'], unique=True, sqlite_where=sa.text('adaptor_id IS NOT NULL'), postgresql_where=sa.text('adaptor_id IS NOT NULL'))
    op.create_table('mail',
    sa.Column('subscription_id', sa.String(length=26), nullable=True),
    sa.Column('recipient_id', sa.String(length=26), nullable=True),
    sa.Column('kind', sa.String(length=20), nullable=False),
    sa.Column('to', sa.String(length=255), nullable=False),
    sa.Column('language', sa.String(length=5), nullable=False),
    sa.Column('subject', sa.String(length=300), nullable=False),
    sa.Column('text', sa.Text(), nullable=False),
    sa.Column('html', sa.Text(), nullable=False),
    sa.Column('unsubscribe', sa.String(length=500), nullable=True),
    sa.Column('message_id', sa.String(length=200), nullable=False),
    sa.Column('state', sa.Enum('pending', 'leased', 'sending', 'sent', 'failed', 'unknown', name='mailstate', native_enum=False, length=20), nullable=False),
    sa.Column('next_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('ends_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('tries', sa.Integer(), nullable=False),
    sa.Column('fence', sa.Integer(), nullable=False),
    sa.Column('lease_owner', sa.String(length=80), nullable=True),
    sa.Column('error', sa.Text(), nullable=True),
    sa.Column('reply', sa.String(length=500), nullable=True),
    sa.Column('finished_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('id', sa.String(length=26), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['recipient_id'], ['recipient.id'], name=op.f('fk_mail_recipient_id')),
    sa.ForeignKeyConstraint(['subscription_id'], ['subscription.id'], name=op.f('fk_mail_subscription_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_mail'))
    )
    op.create_index('ix_mail_due', 'mail', ['state', 'next_at'], unique=False)
    op.create_index('ix_mail_recipient', 'mail', ['recipient_id', 'created_at'], unique=False)
    op.create_index(op.f('ix_mail_subscription_id'), 'mail', ['subscription_id'], unique=False)
    op.create_table('notice',
    sa.Column('subscription_id', sa.String(length=26), nullable=False),
    sa.Column('recipient_id', sa.String(length=26), nullable=False),
    sa.Column('adaptor_id', sa.String(length=26), nullable=True),
    sa.Column('problem_id', sa.String(length=26), nullable=True),
    sa.Column('run_id', sa.String(length=26), nullable=True),
    sa.Column('event', sa.String(length=100), nullable=False),
    sa.Column('kind', sa.Enum('opened', 'grown', 'resolved', 'escalated', 'arrived', 'finished', 'mail', name='noticekind', native_enum=False, length=20), nullable=False),
    sa.Column('level', sa.String(length=20), nullable=False),
    sa.Column('positive', sa.Boolean(), nullable=False),
    sa.Column('title', sa.Text(), nullable=False),
    sa.Column('body', sa.Text(), nullable=False),
    sa.Column('path', sa.String(length=500), nullable=False),
    sa.Column('figures', sa.Text(), nullable=False),
    sa.Column('rhythm', sa.Enum('now', 'hourly', 'daily', 'off', name='rhythm', native_enum=False, length=20), nullable=False),
    sa.Column('mail_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('mail_id', sa.String(length=26), nullable=True),
    sa.Column('read_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('id', sa.String(length=26), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['adaptor_id'], ['adaptor.id'], name=op.f('fk_notice_adaptor_id')),
    sa.ForeignKeyConstraint(['mail_id'], ['mail.id'], name=op.f('fk_notice_mail_id')),
    sa.ForeignKeyConstraint(['problem_id'], ['problem.id'], name=op.f('fk_notice_problem_id')),
    sa.ForeignKeyConstraint(['recipient_id'], ['recipient.id'], name=op.f('fk_notice_recipient_id')),
    sa.ForeignKeyConstraint(['run_id'], ['run.id'], name=op.f('fk_notice_run_id')),
    sa.ForeignKeyConstraint(['subscription_id'], ['subscription.id'], name=op.f('fk_notice_subscription_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_notice')),
    sa.UniqueConstraint('recipient_id', 'event', name=op.f('uq_notice_recipient_id_event'))
    )
    op.create_index('ix_notice_due', 'notice', ['mail_at', 'recipient_id'], unique=False, sqlite_where=sa.text('mail_id IS NULL AND mail_at IS NOT NULL'), postgresql_where=sa.text('mail_id IS NULL AND mail_at IS NOT NULL'))
    op.create_index('ix_notice_inbox', 'notice', ['recipient_id', 'id'], unique=False)
    op.create_index('ix_notice_mail', 'notice', ['mail_id'], unique=False)
    op.create_index('ix_notice_problem', 'notice', ['problem_id'], unique=False)
    op.create_index('ix_notice_unread', 'notice', ['recipient_id'], unique=False, sqlite_where=sa.text('read_at IS NULL'), postgresql_where=sa.text('read_at IS NULL'))
    op.create_table('telling',
    sa.Column('problem_id', sa.String(length=26), nullable=False),
    sa.Column('adaptor_id', sa.String(length=26), nullable=False),
    sa.Column('documents', sa.Integer(), nullable=False),
    sa.Column('escalated_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('closed_at', sa.DateTime(timezone=True), nullable=True),
    sa.ForeignKeyConstraint(['adaptor_id'], ['adaptor.id'], name=op.f('fk_telling_adaptor_id')),
    sa.ForeignKeyConstraint(['problem_id'], ['problem.id'], name=op.f('fk_telling_problem_id')),
    sa.PrimaryKeyConstraint('problem_id', name=op.f('pk_telling'))
    )
    op.create_index('ix_telling_open', 'telling', ['adaptor_id'], unique=False, sqlite_where=sa.text('closed_at IS NULL'), postgresql_where=sa.text('closed_at IS NULL'))
    op.create_table('watch',
    sa.Column('adaptor_id', sa.String(length=26), nullable=False),
    sa.Column('subscription_id', sa.String(length=26), nullable=False),
    sa.Column('escalate_to', sa.String(length=26), nullable=True),
    sa.Column('escalate_hours', sa.Integer(), nullable=False),
    sa.Column('silence', sa.Boolean(), nullable=False),
    sa.Column('alarms_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('arrivals_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('last_run_id', sa.String(length=26), nullable=True),
    sa.ForeignKeyConstraint(['adaptor_id'], ['adaptor.id'], name=op.f('fk_watch_adaptor_id')),
    sa.ForeignKeyConstraint(['escalate_to'], ['recipient.id'], name=op.f('fk_watch_escalate_to')),
    sa.ForeignKeyConstraint(['subscription_id'], ['subscription.id'], name=op.f('fk_watch_subscription_id')),
    sa.PrimaryKeyConstraint('adaptor_id', name=op.f('pk_watch'))
    )
    op.create_index(op.f('ix_watch_subscription_id'), 'watch', ['subscription_id'], unique=False)
    op.create_table('webhook',
    sa.Column('subscription_id', sa.String(length=26), nullable=False),
    sa.Column('adaptor_id', sa.String(length=26), nullable=False),
    sa.Column('url', sa.String(length=500), nullable=False),
    sa.Column('secrets', sa.Text(), nullable=False),
    sa.Column('active', sa.Boolean(), nullable=False),
    sa.Column('failing_since', sa.DateTime(timezone=True), nullable=True),
    sa.Column('off_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('error', sa.Text(), nullable=True),
    sa.Column('answered_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('id', sa.String(length=26), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['adaptor_id'], ['adaptor.id'], name=op.f('fk_webhook_adaptor_id')),
    sa.ForeignKeyConstraint(['subscription_id'], ['subscription.id'], name=op.f('fk_webhook_subscription_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_webhook')),
    sa.UniqueConstraint('adaptor_id', name=op.f('uq_webhook_adaptor_id'))
    )
    op.create_index(op.f('ix_webhook_subscription_id'), 'webhook', ['subscription_id'], unique=False)
    op.create_table('webhook_call',
    sa.Column('webhook_id', sa.String(length=26), nullable=False),
    sa.Column('event', sa.String(length=100), nullable=False),
    sa.Column('payload', sa.Text(), nullable=False),
    sa.Column('state', sa.String(length=20), nullable=False),
    sa.Column('next_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('tries', sa.Integer(), nullable=False),
    sa.Column('fence', sa.Integer(), nullable=False),
    sa.Column('status', sa.Integer(), nullable=True),
    sa.Column('error', sa.Text(), nullable=True),
    sa.Column('finished_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('id', sa.String(length=26), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['webhook_id'], ['webhook.id'], name=op.f('fk_webhook_call_webhook_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_webhook_call')),
    sa.UniqueConstraint('webhook_id', 'event', name=op.f('uq_webhook_call_webhook_id_event'))
    )
    op.create_index('ix_webhook_call_due', 'webhook_call', ['state', 'next_at'], unique=False)


def downgrade():
    op.drop_table('webhook_call')
    op.drop_table('webhook')
    op.drop_table('watch')
    op.drop_table('telling')
    op.drop_table('notice')
    op.drop_table('mail')
    op.drop_table('notification_preference')
    op.drop_table('recipient')
