"""Identifiers: every id is a UUIDv7 (RFC 9562), time-ordered for the index and never used for ordering."""

from uuid import UUID

from uuid_utils import compat


def new_id() -> UUID:
    """A fresh UUIDv7."""
    return compat.uuid7()
