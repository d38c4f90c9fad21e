"""Identifiers: every id is a UUIDv7 (RFC 9562), time-ordered for the index. Only the list of cases is ordered by them."""

from datetime import datetime
from uuid import UUID

from uuid_utils import compat


def new_id() -> UUID:
    """A fresh UUIDv7."""
    return compat.uuid7()


def id_at(moment: datetime) -> UUID:
    """An id as something of that time has: its place in an index, and what it says of its age, are those of then."""
    return compat.uuid7(nanoseconds=int(moment.timestamp() * 1_000) * 1_000_000)
