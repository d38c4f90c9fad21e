"""A case's number tells neither how many there are nor which came first, and comes once."""

from itertools import pairwise

from shared.casework.cases.commands import FIRST_NUMBER, NUMBERS, shuffled

KEY = b"k" * 32
FIRST = 20_000  # a district's cases of ten years


def test_each_number_comes_once_and_has_six_digits() -> None:
    numbers = [shuffled(count, KEY) for count in range(1, FIRST + 1)]
    assert len(set(numbers)) == FIRST
    assert {len(str(number)) for number in numbers} == {6}
    beyond = [shuffled(NUMBERS + count, KEY) for count in range(1, 1_000)]
    assert len({*numbers, *beyond}) == FIRST + 999
    assert min(beyond) >= FIRST_NUMBER + NUMBERS


def test_which_came_first_is_not_told() -> None:
    numbers = [shuffled(count, KEY) for count in range(1, FIRST + 1)]
    rising = sum(one < two for one, two in pairwise(numbers))
    assert 0.48 < rising / FIRST < 0.52
    steps = {two - one for one, two in pairwise(numbers)}
    assert len(steps) > FIRST * 0.9  # no step comes again and again
    assert numbers[:100] != [shuffled(count, b"another".ljust(32)) for count in range(1, 101)]
