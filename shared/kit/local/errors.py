"""The one error that the local servers raise: a plain sentence that says what to do."""

from shared.kit.errors import RefnetError


class LocalServerError(RefnetError):
    """A server that this machine was asked to run cannot run here."""
