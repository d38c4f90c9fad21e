"""The word that she chose for the telephone, and who a caller may say to be. Nothing here says whether anybody is known."""

import unicodedata
from datetime import timedelta
from enum import StrEnum
from uuid import UUID

from shared.kit.digits import typed
from shared.programmes.profile import Programme
from shared.programmes.terms import Act
from shared.programmes.vocabulary import ActNeeds

WORD_CHARACTERS_MIN, WORD_CHARACTERS_MAX = 4, 40  # shorter is guessed; longer is misheard on the telephone
SHOWN_FOR = timedelta(minutes=10)  # a telephone call; after that the word is asked again
LABEL = "police_own_words.digest"


class ClaimsToBe(StrEnum):
    """Who the caller says to be. It proves nothing, and is never told to anybody outside."""

    HERSELF = "herself"
    HUSBAND = "husband"
    PARENT = "parent"
    RELATIVE = "relative"
    LAWYER = "lawyer"
    OFFICIAL = "official"
    PRESS = "press"
    OTHER = "other"
    NOT_SAID = "not_said"


def has_enquiries(programme: Programme) -> bool:
    """Whether the programme says what must be shown before anything is told by telephone."""
    return any(isinstance(rule, ActNeeds) and rule.act is Act.TELL_STATUS for rule in programme.rules.values())


def said_alike(word: str) -> str:
    """A word as it is compared: however it is written, spaced or spelt in capitals; digits of any script are the same."""
    return typed(unicodedata.normalize("NFKC", word)).casefold()


def kept_as(case_id: UUID, word: str) -> str:
    """What the keyed digest is of: the same word of two cases looks different."""
    return f"{case_id}|{said_alike(word)}"
