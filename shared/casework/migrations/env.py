"""Alembic's entry: runs on the connection that `shared.casework.migrate` hands over, never on one of its own."""

from alembic import context
from sqlmodel import SQLModel

connection = context.config.attributes["connection"]
prefixes = context.config.attributes["prefixes"]


def include_object(_object: object, name: str | None, kind: str, _reflected: bool, _other: object) -> bool:
    """Only the shared tables and the agency's own: another agency's never come into this database."""
    return kind != "table" or (name or "").startswith(prefixes)


context.configure(
    connection=connection,
    target_metadata=SQLModel.metadata,
    render_as_batch=connection.dialect.name == "sqlite",
    compare_type=True,
    include_object=include_object,
)
with context.begin_transaction():
    if connection.dialect.name == "postgresql":
        # A migration that cannot have its lock soon gives up rather than hold every desk up behind it.
        connection.exec_driver_sql("SET LOCAL lock_timeout = '5s'")
        # One that has its locks works until it is done: an index on a table of ten million rows takes minutes.
        connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
        connection.exec_driver_sql("SET LOCAL idle_in_transaction_session_timeout = 0")
    context.run_migrations()
