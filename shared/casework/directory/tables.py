"""What places say about themselves: open, who is there, how many wait. About places, never about people."""

from datetime import datetime

from sqlmodel import Field

from shared.kit.columns import Row, UtcDateTime


class PlaceNews(Row, table=True):
    """The newest word of a facility, our own or another agency's."""

    __tablename__ = "casework_place_news"
    agency: str = Field(primary_key=True)
    facility: str = Field(primary_key=True)
    is_open: bool
    staff: int
    has_female_staff: bool
    waiting: int
    said_at: datetime = Field(sa_type=UtcDateTime)
