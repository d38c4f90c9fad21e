"""What `refnet restore` says of a backup that is older than words are kept."""

from datetime import UTC, datetime

import pytest

from shared.casework.lines.recovery import PeerRecovery, RecoveryView
from shared.exchange.clearing import BACKUP_WINDOW


def restored(days: int | None, wordless: int = 0) -> str:
    peer = PeerRecovery(
        peer="health", because="restored", opened_at=datetime(2026, 1, 5, tzinfo=UTC), answered_at=None, said_before=9, came_home=5,
        wordless=wordless, waiting=0, lost=0,
    )  # fmt: skip
    return RecoveryView(peers=[peer], thin_cases=[], backup_days=days).words


@pytest.mark.parametrize(
    ("days", "is_said"), [(None, False), (0, False), (BACKUP_WINDOW.days - 1, False), (BACKUP_WINDOW.days, True)]
)
def test_a_backup_that_is_too_old_is_said_to_be(days: int | None, is_said: bool) -> None:
    assert (f"is {days} days old" in restored(days)) is is_said


def test_places_that_came_home_without_words_are_counted() -> None:
    assert "5 words of ours came home (2 without what they said: it is no longer kept)" in restored(0, wordless=2)
    assert "without" not in restored(0)
