"""Protocols that were published, with their public texts, and the places that confirmed them. No person is in any of it."""

from datetime import date, datetime
from uuid import UUID

from sqlmodel import Field

from shared.kit.columns import Row, UtcDateTime


class PublishedProtocol(Row, table=True):
    """A version of a protocol; never changed. `text` None: it is known only from what was told, which came home after a restore."""

    __tablename__ = "oversight_protocols"
    topic: str = Field(primary_key=True)
    version: int = Field(primary_key=True)
    text: str | None = None
    digest: str
    from_on: date
    adopt_by: date
    published_at: datetime = Field(sa_type=UtcDateTime)
    published_by: UUID | None = None


class PlaceAdoption(Row, table=True):
    """A place of an agency works by a version, as one of its posts has confirmed."""

    __tablename__ = "oversight_adoptions"
    agency: str = Field(primary_key=True)
    facility: str = Field(primary_key=True)
    topic: str = Field(primary_key=True)
    version: int = Field(primary_key=True)
    digest: str
    post: str
    adopted_on: date
    said_at: datetime = Field(sa_type=UtcDateTime)
