"""Putting our own words, which peers gave back after a restore, into our own records."""

from shared.casework.here import Here
from shared.exchange.registry import Returned
from shared.kit.db import Transaction


async def put_back(recipient: str, words: list[Returned], tx: Transaction, here: Here) -> None:
    """Each word as if it had never been lost."""
