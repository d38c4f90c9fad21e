"""Numbers that people type from paper or from memory: as they were printed, in groups, in the digits of their own keyboard."""

import unicodedata


def typed(text: str) -> str:
    """The text without spaces, its digits in ASCII: "۲۷۱ ۸۲۸" is "271828"."""
    return "".join(str(unicodedata.digit(one, one)) for one in text if not one.isspace())
