"""schedules

Revision ID: 0007
Revises: 0006
Create Date: 2026-11-23 08:30:00

"""
import json
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from alembic import op
import sqlalchemy as sa


# revision identifiers, used by Alembic.
revision = '0007'
down_revision = '0006'
branch_labels = None
depends_on = None

ZONE = 'Europe/Copenhagen'
# Of this step only, without the types of today's models.
SCHEDULE = sa.table(
    'schedule',
    *(sa.column(name) for name in ('id', 'subscription_id', 'adaptor_id', 'timing', 'time_zone', 'holidays', 'catch_up', 'active')),
    *(sa.column(name, sa.DateTime(timezone=True)) for name in ('anchor_at', 'next_at', 'created_at')),
)
ADAPTOR = sa.table(
    'adaptor', *(sa.column(name) for name in ('id', 'subscription_id', 'interval_minutes')),
    *(sa.column(name, sa.DateTime(timezone=True)) for name in ('next_run_at', 'deleted_at')),
)


def upgrade():
    op.create_table('schedule',
    sa.Column('subscription_id', sa.String(length=26), nullable=False),
    sa.Column('adaptor_id', sa.String(length=26), nullable=False),
    sa.Column('timing', sa.Text(), nullable=False),
    sa.Column('time_zone', sa.String(length=64), nullable=False),
    sa.Column('holidays', sa.String(length=20), nullable=False),
    sa.Column('catch_up', sa.String(length=20), nullable=False),
    sa.Column('catch_up_hours', sa.Integer(), nullable=True),
    sa.Column('active', sa.Boolean(), nullable=False),
    sa.Column('paused_until', sa.Date(), nullable=True),
    sa.Column('anchor_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('next_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('id', sa.String(length=26), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['adaptor_id'], ['adaptor.id'], name=op.f('fk_schedule_adaptor_id')),
    sa.ForeignKeyConstraint(['subscription_id'], ['subscription.id'], name=op.f('fk_schedule_subscription_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_schedule'))
    )
    with op.batch_alter_table('schedule', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_schedule_adaptor_id'), ['adaptor_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_schedule_next_at'), ['next_at'], unique=False)

    op.create_table('schedule_run',
    sa.Column('schedule_id', sa.String(length=26), nullable=False),
    sa.Column('adaptor_id', sa.String(length=26), nullable=False),
    sa.Column('due_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('outcome', sa.String(length=20), nullable=True),
    sa.Column('run_id', sa.String(length=26), nullable=True),
    sa.Column('id', sa.String(length=26), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['adaptor_id'], ['adaptor.id'], name=op.f('fk_schedule_run_adaptor_id')),
    sa.ForeignKeyConstraint(['run_id'], ['run.id'], name=op.f('fk_schedule_run_run_id')),
    sa.ForeignKeyConstraint(['schedule_id'], ['schedule.id'], name=op.f('fk_schedule_run_schedule_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_schedule_run')),
    sa.UniqueConstraint('schedule_id', 'due_at', name=op.f('uq_schedule_run_schedule_id_due_at'))
    )
    with op.batch_alter_table('schedule_run', schema=None) as batch_op:
        batch_op.create_index('ix_schedule_run_newest', ['adaptor_id', 'due_at'], unique=False)
        batch_op.create_index('ix_schedule_run_open', ['due_at'], unique=False, sqlite_where=sa.text('outcome IS NULL'), postgresql_where=sa.text('outcome IS NULL'))

    make_schedules()
    with op.batch_alter_table('adaptor', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_adaptor_next_run_at'))
        batch_op.drop_column('next_run_at')
        batch_op.drop_column('interval_minutes')


def make_schedules():
    found = op.get_bind().execute(sa.select(ADAPTOR).where(ADAPTOR.c.interval_minutes.is_not(None), ADAPTOR.c.deleted_at.is_(None))).all()
    rows = []
    for row in found:
        next_at = row.next_run_at or datetime.now(UTC)
        if next_at.tzinfo is None:
            next_at = next_at.replace(tzinfo=UTC)
        rows.append({
            # An adaptor has one yet, so that its own id will do.
            'id': row.id, 'subscription_id': row.subscription_id, 'adaptor_id': row.id,
            'timing': json.dumps(timing(row.interval_minutes, next_at)), 'time_zone': ZONE, 'holidays': 'run', 'catch_up': 'once',
            'active': True, 'anchor_at': next_at, 'next_at': next_at, 'created_at': datetime.now(UTC),
        })
    if rows:
        op.bulk_insert(SCHEDULE, rows)


def timing(minutes, next_at):
    """What was called "every hour" and "once a day" is that, at the minute at which it was."""
    at = next_at.astimezone(ZoneInfo(ZONE))
    found = {'kind': 'interval', 'minutes': minutes, 'minute': 0, 'times': [], 'weekdays': [], 'month_day': '', 'cron': ''}
    if minutes == 60:
        found |= {'kind': 'hourly', 'minutes': 0, 'minute': at.minute}
    elif minutes == 24 * 60:
        found |= {'kind': 'daily', 'minutes': 0, 'times': [f'{at:%H:%M}']}
    return found


def downgrade():
    with op.batch_alter_table('adaptor', schema=None) as batch_op:
        batch_op.add_column(sa.Column('interval_minutes', sa.Integer(), nullable=True))
        batch_op.add_column(sa.Column('next_run_at', sa.DateTime(timezone=True), nullable=True))
        batch_op.create_index(batch_op.f('ix_adaptor_next_run_at'), ['next_run_at'], unique=False)
    keep_intervals()
    with op.batch_alter_table('schedule_run', schema=None) as batch_op:
        batch_op.drop_index('ix_schedule_run_open', sqlite_where=sa.text('outcome IS NULL'), postgresql_where=sa.text('outcome IS NULL'))
        batch_op.drop_index('ix_schedule_run_newest')

    op.drop_table('schedule_run')
    with op.batch_alter_table('schedule', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_schedule_next_at'))
        batch_op.drop_index(batch_op.f('ix_schedule_adaptor_id'))

    op.drop_table('schedule')


def keep_intervals():
    """The first schedule of each adaptor, as nearly as minutes can say it: nobody's export stops because of a step back."""
    found = op.get_bind().execute(sa.select(SCHEDULE).where(SCHEDULE.c.active == sa.true()).order_by(SCHEDULE.c.id.desc())).all()
    for row in found:
        stored = json.loads(row.timing)
        minutes = {'interval': stored['minutes'], 'hourly': 60}.get(stored['kind'], 24 * 60)
        op.get_bind().execute(
            sa.update(ADAPTOR).where(ADAPTOR.c.id == row.adaptor_id).values(interval_minutes=minutes, next_run_at=row.next_at or row.anchor_at)
        )
