"""Mobile and outlying stations: agencies of their own that are usually offline, each with a mother station that looks after it."""

from uuid import UUID, uuid5

STATIONS = UUID("3c8f6a52-91de-5b0a-8d47-5e2f1c7b9a04")  # the namespace of stations' subjects


def station_subject(agency: str) -> UUID:
    """What words about a station's own numbers are about."""
    return uuid5(STATIONS, agency)
