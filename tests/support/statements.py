"""What an agency asks its database, as it asks it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

from sqlalchemy import event

from shared.kit.db import Database

Said = tuple[str, Any]  # a statement and its parameters


class Agency(Protocol):
    """Whoever has a database."""

    @property
    def database(self) -> Database:
        """It."""
        ...


@contextmanager
def statements_of(agency: Agency) -> Iterator[list[Said]]:
    """What an agency asks its database meanwhile."""
    said: list[Said] = []

    def keep(_connection: Any, _cursor: Any, statement: str, parameters: Any, _context: Any, _many: bool) -> None:
        said.append((statement, parameters))

    engine = agency.database.engine.sync_engine
    event.listen(engine, "before_cursor_execute", keep)
    try:
        yield said
    finally:
        event.remove(engine, "before_cursor_execute", keep)
