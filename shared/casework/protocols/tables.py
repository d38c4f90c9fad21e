"""Protocols that this agency was told of, and which of its places work by them. Public documents and posts: no person, no case."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import UniqueConstraint
from sqlmodel import Field

from shared.kit.columns import Row, UtcDateTime


class Protocol(Row, table=True):
    """A version of a protocol, as the oversight body published it. `text`: its public document, where somebody brought it here."""

    __tablename__ = "casework_protocols"
    agency: str = Field(primary_key=True)  # the oversight body's
    topic: str = Field(primary_key=True)
    version: int = Field(primary_key=True)
    from_on: date
    adopt_by: date
    digest: str
    text: str | None = None
    said_at: datetime = Field(sa_type=UtcDateTime)


class Adoption(Row, table=True):
    """A place of ours works by a version. The post is told to the oversight body; the account stays here. None: it is known only
    from what was told, which came home after a restore."""

    __tablename__ = "casework_adoptions"
    __table_args__ = (UniqueConstraint("agency", "topic", "version", "facility", name="uq_casework_adoptions_place"),)
    id: UUID = Field(primary_key=True)
    agency: str
    topic: str
    version: int
    facility: str
    digest: str
    post: str
    adopted_on: date
    recorded_at: datetime = Field(sa_type=UtcDateTime)
    recorded_by: UUID | None = None
