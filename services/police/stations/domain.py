"""A station's own numbers: dense, so that one that is lacking is seen; and what a station without a line does beside cases."""

from collections.abc import Iterable
from enum import StrEnum

CHECKS = "ABCDEFGHJKLMNPQRTUVWXYZ"  # 23 letters, a prime, without what is misread; a digit typed wrongly changes the letter
GAPS_SHOWN = 50  # stretches; more say that somebody has taken a book away, and a page of numbers would say it no better


class Informed(StrEnum):
    """What somebody was informed of who registered nothing: counted, and nothing else is kept."""

    HER_RIGHTS = "her_rights"
    WHERE_CARE_IS = "where_care_is"
    HOW_TO_REPORT = "how_to_report"
    SHELTER = "shelter"
    LEGAL_AID = "legal_aid"
    OTHER = "other"


class HowStated(StrEnum):
    """How a station's newest number became known without a line."""

    PHONE = "phone"
    PAPER = "paper"  # somebody came with a slip that bears it


def reference(number: int) -> str:
    """What is written on a slip: the number of five digits or more, and a letter that a mistyped digit does not fit."""
    return f"{number:05d}-{CHECKS[sum(int(digit) * weight for weight, digit in enumerate(reversed(str(number)), 2)) % len(CHECKS)]}"


def gaps(held: Iterable[int], upto: int) -> list[tuple[int, int]]:
    """The stretches from 1 to `upto` of which nothing is held, lowest first, as (first, last)."""
    found, start = [], 1
    for number in [*sorted({one for one in held if one <= upto}), upto + 1]:
        if number > start:
            found.append((start, number - 1))
        start = max(start, number + 1)
    return found


def stretches(numbers: Iterable[int]) -> list[tuple[int, int]]:
    """Numbers as stretches without a gap, lowest first, as (first, last)."""
    found: list[tuple[int, int]] = []
    for number in sorted(set(numbers)):
        if found and found[-1][1] == number - 1:
            found[-1] = (found[-1][0], number)
        else:
            found.append((number, number))
    return found
