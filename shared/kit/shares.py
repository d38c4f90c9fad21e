"""A secret in three shares: any two give it back, one tells nothing. Shamir (1979), a line over GF(2^8) for each byte."""

import secrets
from collections.abc import Sequence

SHARES = 3
NEEDED = 2
REDUCED_BY = 0x11B  # x^8 + x^4 + x^3 + x + 1, as AES has it


def split(secret: bytes) -> list[bytes]:
    """Three shares of a secret, each one byte longer than it: first the share's number."""
    slopes = secrets.token_bytes(len(secret))
    return [bytes([x, *(s ^ _times(x, slope) for s, slope in zip(secret, slopes, strict=True))]) for x in range(1, SHARES + 1)]


def join(shares: Sequence[bytes]) -> bytes:
    """The secret of two different shares; raises ValueError. Shares that do not belong together give another secret."""
    numbers = [share[0] for share in shares if share]
    if len(shares) != NEEDED or len(set(numbers)) != NEEDED or len({len(share) for share in shares}) != 1:
        raise ValueError("it takes two different shares of one secret")
    (one, *first), (two, *second) = shares
    if not {one, two} <= set(range(1, SHARES + 1)):
        raise ValueError("a share has a number from 1 to 3")
    over = _inverse(one ^ two)
    return bytes(_times(_times(two, over), a) ^ _times(_times(one, over), b) for a, b in zip(first, second, strict=True))


def _times(a: int, b: int) -> int:
    product = 0
    while b:
        if b & 1:
            product ^= a
        a <<= 1
        if a & 0x100:
            a ^= REDUCED_BY
        b >>= 1
    return product


def _inverse(a: int) -> int:
    return next(b for b in range(1, 256) if _times(a, b) == 1)
