"""What counselling was. That it was is a code; what was said stands in a note that never crosses."""

from enum import StrEnum

RECORD = "counselling"  # the register's name in a profile; a programme that has none has no such pages


class What(StrEnum):
    """Which kind it was."""

    FIRST_SUPPORT = "first_support"
    SESSION = "session"
    WITH_CHILDREN = "with_children"
    SAFETY = "safety"
