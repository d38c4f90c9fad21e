"""Which failures may pass by themselves: one question, asked by everything that would otherwise set something aside for good."""

import asyncpg
import pytest
from sqlalchemy.exc import TimeoutError as PoolTimeout

from shared.kit.db import is_transient
from shared.kit.errors import Conflict, DatabaseAway


@pytest.mark.parametrize(
    "error", [DatabaseAway("try again"), PoolTimeout(), ConnectionResetError(), TimeoutError(), asyncpg.DeadlockDetectedError()]
)
def test_a_database_that_is_away_and_a_conflict_may_pass_whatever_they_are_called_by_then(error: Exception) -> None:
    assert is_transient(error)


@pytest.mark.parametrize("error", [Conflict("no"), ValueError(), asyncpg.UniqueViolationError()])
def test_what_would_fail_again_does_not_pass(error: Exception) -> None:
    assert not is_transient(error)
