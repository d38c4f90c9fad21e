"""Words that an agency says of itself, of no person and no case: what each is about follows from who says it and what it says."""

from uuid import UUID, uuid5

from shared.contracts.casework import events

OWN = UUID("0197a1c0-0000-7000-8000-000000000039")  # the namespace of what such words are about


def subject_of(agency: str, word: events.Event) -> UUID:
    """What a word of an agency is about."""
    match word:
        case events.ProtocolPublished():
            about = f"{word.topic}/{word.protocol_version}"
        case events.FiguresReleased():
            about = f"{word.period}/{word.release}"
        case _:
            raise TypeError(f"{word.type} is about something else than its sender")
    return uuid5(OWN, f"{word.type}/{agency}/{about}")
