"""A secret in three shares: every two of them give it back, and one alone fits every secret there is."""

from itertools import permutations

import pytest

from shared.kit.shares import join, split

SECRET = bytes(range(256))


def test_any_two_give_it_back() -> None:
    for pair in permutations(split(SECRET), 2):
        assert join(pair) == SECRET


def test_one_alone_fits_every_secret() -> None:
    """For any other secret there is a share that makes it of this one: so this one says nothing."""
    mine = split(b"\x2a")[0]
    assert {join([mine, bytes([2, other])]) for other in range(256)} == {bytes([secret]) for secret in range(256)}


@pytest.mark.parametrize(
    "shares", [[], [b"\x01a"], [b"\x01a", b"\x01a"], [b"\x01a", b"\x02ab"], [b"\x01a", b"\x04a"], [b"", b"\x01a"]]
)
def test_what_is_not_two_shares_is_refused(shares: list[bytes]) -> None:
    with pytest.raises(ValueError, match="share"):
        join(shares)
