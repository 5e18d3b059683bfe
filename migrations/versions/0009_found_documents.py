"""found documents

Revision ID: 0009
Revises: 0008
Create Date: 2026-11-23 08:30:00

"""
from alembic import op
import sqlalchemy as sa


# revision identifiers, used by Alembic.
revision = '0009'
down_revision = '0008'
branch_labels = None
depends_on = None


def upgrade():
    op.create_table('found_document',
    sa.Column('run_id', sa.String(length=26), nullable=False),
    sa.Column('document_id', sa.String(length=26), nullable=False),
    sa.Column('group', sa.String(length=20), nullable=False),
    sa.Column('delivery_id', sa.String(length=26), nullable=True),
    sa.Column('text', sa.Text(), nullable=True),
    sa.Column('verdict', sa.Text(), nullable=True),
    sa.Column('chosen_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('reason', sa.Text(), nullable=True),
    sa.Column('read_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('outcome', sa.String(length=20), nullable=True),
    sa.ForeignKeyConstraint(['document_id'], ['document.id'], name=op.f('fk_found_document_document_id')),
    sa.ForeignKeyConstraint(['run_id'], ['run.id'], name=op.f('fk_found_document_run_id')),
    sa.PrimaryKeyConstraint('run_id', 'document_id', name=op.f('pk_found_document'))
    )
    with op.batch_alter_table('found_document', schema=None) as batch_op:
        batch_op.create_index('ix_found_document_group', ['run_id', 'group'], unique=False)


def downgrade():
    with op.batch_alter_table('found_document', schema=None) as batch_op:
        batch_op.drop_index('ix_found_document_group')

    op.drop_table('found_document')
