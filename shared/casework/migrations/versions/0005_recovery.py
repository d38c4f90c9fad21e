"""Reconciliation and recovery: several lives of a database, own words that come home, slots that are lost, peers that answer."""

import sqlalchemy as sa
from alembic import op

from shared.kit.columns import UtcDateTime

revision = "0005_recovery"
down_revision = "0004_sessions"
branch_labels = None
depends_on = None

NAMES = {"uq": "uq_%(table_name)s_%(column_0_name)s"}  # SQLite gave the old constraint no name of its own


def upgrade() -> None:
    """Forward only: a schema is mended by a further migration."""
    _outbox()
    _received()
    _peers()
    _casework()


def _outbox() -> None:
    _count_held("exchange_streams", "size")
    is_sqlite = op.get_bind().dialect.name == "sqlite"
    with op.batch_alter_table("exchange_outbox", naming_convention=NAMES) as batch_op:
        batch_op.drop_constraint("uq_exchange_outbox_event_id" if is_sqlite else "exchange_outbox_event_id_key", type_="unique")
        batch_op.drop_constraint("uq_exchange_outbox_slot", type_="unique")
        batch_op.add_column(sa.Column("is_forked", sa.Boolean(), nullable=False, server_default=sa.false()))
        batch_op.add_column(sa.Column("returned_at", UtcDateTime(), nullable=True))
        batch_op.add_column(sa.Column("is_home", sa.Boolean(), nullable=False, server_default=sa.true()))
    with op.batch_alter_table("exchange_outbox") as batch_op:
        batch_op.alter_column("is_forked", server_default=None)
        batch_op.alter_column("is_home", server_default=None)
    op.create_index("ix_exchange_outbox_event", "exchange_outbox", ["event_id"], unique=False)
    op.create_index(
        "uq_exchange_outbox_slot",
        "exchange_outbox",
        ["recipient", "incarnation", "seq"],
        unique=True,
        sqlite_where=sa.text("NOT is_forked"),
        postgresql_where=sa.text("NOT is_forked"),
    )
    op.create_index(
        "ix_exchange_outbox_returned",
        "exchange_outbox",
        ["recipient"],
        unique=False,
        sqlite_where=sa.text("NOT is_home"),
        postgresql_where=sa.text("NOT is_home"),
    )


def _count_held(table: str, so_far: str) -> None:
    with op.batch_alter_table(table) as batch_op:
        batch_op.add_column(sa.Column("held", sa.BigInteger(), nullable=False, server_default=sa.text("0")))
    op.execute(f"UPDATE {table} SET held = {so_far}")  # noqa: S608 — our own names
    with op.batch_alter_table(table) as batch_op:
        batch_op.alter_column("held", server_default=None)


def _received() -> None:
    op.create_index("ix_exchange_slots_event", "exchange_slots", ["event_id"], unique=False)
    op.create_table(
        "exchange_lost_slots",
        sa.Column("sender", sa.String(), nullable=False),
        sa.Column("incarnation", sa.Uuid(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("stated_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("sender", "incarnation", "seq"),
    )
    _count_held("exchange_heads", "upto")


def _peers() -> None:
    with op.batch_alter_table("exchange_peers") as batch_op:
        batch_op.add_column(sa.Column("incarnation", sa.Uuid(), nullable=True))
        batch_op.add_column(sa.Column("in_step_at", UtcDateTime(), nullable=True))
        batch_op.add_column(sa.Column("behind_since", UtcDateTime(), nullable=True))
    op.create_table(
        "exchange_reopenings",
        sa.Column("sender", sa.String(), nullable=False),
        sa.Column("incarnation", sa.Uuid(), nullable=False),
        sa.Column("opened", sa.Uuid(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("root", sa.LargeBinary(), nullable=False),
        sa.Column("heard_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("sender", "incarnation", "opened"),
    )
    op.create_table(
        "exchange_recoveries",
        sa.Column("peer", sa.String(), nullable=False),
        sa.Column("incarnation", sa.Uuid(), nullable=False),
        sa.Column("ended", sa.Uuid(), nullable=True),
        sa.Column("said_before", sa.BigInteger(), nullable=False),
        sa.Column("because", sa.String(), nullable=False),
        sa.Column("opened_at", UtcDateTime(), nullable=False),
        sa.Column("answered_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("peer"),
    )


def _casework() -> None:
    with op.batch_alter_table("casework_referrals") as batch_op:
        batch_op.add_column(sa.Column("heard_life", sa.Uuid(), nullable=True))
    op.create_table(
        "casework_releases",
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("released_by", sa.Uuid(), nullable=False),
        sa.Column("released_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("case_id"),
        sa.ForeignKeyConstraint(["case_id"], ["casework_cases.id"]),
    )
