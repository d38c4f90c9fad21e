"""The table of a ledger of products, for migrations: its columns as they were when an agency's first one was made, and the triggers
that let nobody change or delete a line, the application included."""

import sqlalchemy as sa
from alembic import op

from shared.kit.columns import UtcDateTime

REFUSED = "a line of this book is never changed; write another that corrects it"


def add_ledger(table: str) -> None:
    """Makes it."""
    op.create_table(
        table,
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("facility", sa.String(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("product", sa.String(), nullable=False),
        sa.Column("batch", sa.String(), nullable=False),
        sa.Column("expires_on", sa.Date(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("balance", sa.Integer(), nullable=False),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("about", sa.Uuid(), nullable=True),
        sa.Column("occurred_at", UtcDateTime(), nullable=False),
        sa.Column("recorded_at", UtcDateTime(), nullable=False),
        sa.Column("recorded_by", sa.Uuid(), nullable=False),
        sa.UniqueConstraint("facility", "number", name=f"uq_{table}_number"),
        sa.CheckConstraint("balance >= 0", name=f"ck_{table}_balance"),
        sa.CheckConstraint("quantity <> 0", name=f"ck_{table}_quantity"),
    )
    op.create_index(f"ix_{table}_product", table, ["facility", "product", "number"])
    never_changes(table)


def never_changes(table: str) -> None:
    """Lets nobody change or delete a line of a book, its owner included."""
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            f"CREATE FUNCTION {table}_stands() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION '{REFUSED}'; END $$"
        )
        op.execute(
            f"CREATE TRIGGER {table}_stands BEFORE UPDATE OR DELETE ON {table} FOR EACH ROW EXECUTE FUNCTION {table}_stands()"
        )
        return
    for verb in ("UPDATE", "DELETE"):
        op.execute(f"CREATE TRIGGER {table}_{verb.lower()} BEFORE {verb} ON {table} BEGIN SELECT RAISE(ABORT, '{REFUSED}'); END")
