"""Column types that mean the same on PostgreSQL and SQLite."""

from datetime import UTC, datetime

from sqlalchemy import JSON, DateTime, Dialect, Index, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import TypeDecorator
from sqlmodel import SQLModel


class Row(SQLModel):
    """A row of a table. SQLModel checks nothing of one, so its checks are not made before anybody asks for them."""

    model_config = {"defer_build": True}


class UtcDateTime(TypeDecorator[datetime]):
    """An aware UTC time; SQLite, which has no time zone, stores it as UTC and gives it back as UTC."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time without a zone reached the database; use clock.now()")
        moment = value.astimezone(UTC)
        return moment.replace(tzinfo=None) if dialect.name == "sqlite" else moment

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def json_column() -> JSON:
    """JSON that is JSONB on PostgreSQL."""
    return JSON().with_variant(JSONB(), "postgresql")


def unlogged(table: str) -> Index:
    """The rows of a table that have no place yet in the log that peers sign unread (`inside_seq`): a worker looks for them."""
    where = text("inside_seq IS NULL")
    return Index(f"ix_{table}_unlogged", "id", sqlite_where=where, postgresql_where=where)
