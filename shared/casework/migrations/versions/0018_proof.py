"""Heads that peers have signed, and the log of what is done inside, whose heads they sign unread.

Revision ID: 0018_proof
Revises: 0017_case_keys
"""

import sqlalchemy as sa
from alembic import op

from shared.kit.columns import UtcDateTime

revision = "0018_proof"
down_revision = "0017_case_keys"


def upgrade() -> None:
    """Makes the tables."""
    op.create_table(
        "exchange_signed_heads",
        sa.Column("sender", sa.String(), primary_key=True),
        sa.Column("log", sa.String(), primary_key=True),
        sa.Column("incarnation", sa.Uuid(), primary_key=True),
        sa.Column("size", sa.BigInteger(), primary_key=True),
        sa.Column("root", sa.LargeBinary(), primary_key=True),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("frontier", sa.LargeBinary(), nullable=False),
        sa.Column("signed", sa.LargeBinary(), nullable=False),
        sa.Column("against", sa.LargeBinary(), nullable=True),
        sa.Column("heard_at", UtcDateTime(), nullable=False),
    )
    op.create_index("ix_exchange_signed_heads_state", "exchange_signed_heads", ["sender", "log", "state"])
    op.create_table(
        "exchange_inside",
        sa.Column("incarnation", sa.Uuid(), primary_key=True),
        sa.Column("seq", sa.BigInteger(), primary_key=True),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("row_key", sa.String(), nullable=False),
        sa.Column("salt", sa.LargeBinary(), nullable=False),
        sa.Column("leaf", sa.LargeBinary(), nullable=False),
        sa.Column("nodes", sa.LargeBinary(), nullable=False),
        sa.Column("logged_at", UtcDateTime(), nullable=False),
    )
    op.create_table(
        "exchange_inside_heads",
        sa.Column("incarnation", sa.Uuid(), primary_key=True),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("frontier", sa.LargeBinary(), nullable=False),
    )
    op.create_table(
        "exchange_inside_signatures",
        sa.Column("peer", sa.String(), primary_key=True),
        sa.Column("peer_incarnation", sa.Uuid(), primary_key=True),
        sa.Column("incarnation", sa.Uuid(), primary_key=True),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("root", sa.LargeBinary(), nullable=False),
        sa.Column("said_size", sa.BigInteger(), nullable=False),
        sa.Column("made_at", UtcDateTime(), nullable=False),
        sa.Column("signed", sa.LargeBinary(), nullable=False),
    )
    with op.batch_alter_table("casework_case_reads", schema=None) as batch_op:
        batch_op.add_column(sa.Column("inside_seq", sa.BigInteger(), nullable=True))
        batch_op.create_index(
            "ix_casework_case_reads_unlogged",
            ["id"],
            sqlite_where=sa.text("inside_seq IS NULL"),
            postgresql_where=sa.text("inside_seq IS NULL"),
        )
