"""The root of our errors: every message is one plain sentence that says what is wrong and what to do."""


class RefnetError(Exception):
    """An expected failure; `str(error)` may be shown to a person, so it never holds personal data."""


class DatabaseAway(RefnetError):
    """The database did not answer, or gave up on a conflict: nothing was written, the same call may be tried again."""


class NotFound(RefnetError):
    """The object does not exist, or not within the account's scope: the two are never told apart."""


class Conflict(RefnetError):
    """The request is understood and does not fit what stands now."""
