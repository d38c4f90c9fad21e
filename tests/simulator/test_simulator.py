"""The simulator in every run: schedules are clean, and rules of the exchange that are left out are found, here the two that show
at once, in the long tier each.

`make simulate` runs ten thousand; a seed that fails there replays alone with `SEED=…`.
"""

from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path

import pytest
from mutants import BESIDE, CASEWORK_RULES, RULES
from run import empty_image
from schedule import is_casework, run
from sqlalchemy.exc import IntegrityError
from world import folder

CLEAN = 20  # schedules that nobody has chosen; seeds that once found a fault come first
# Of these 37 and 109 are of casework's remainder by now: they are played as they were, the exchange alone.
# A lost anchor before the first number; a blank that went before what it was told after; what was stated gone and came; a blank
# that its restored sender did not know of; a number given twice above a hole that stays; a trace that was spent on another slot.
FOUND = (7, 22, 24, 37, 75, 109, 284, 540, 940, 962, 1007)
# Two where a referral that both ends had lost recovered for ever; one where an answer that came before its word was home stayed
# parked; one that failed in a search from 5,000 to 5,100; two where what was told after a request came before it, here and home;
# one where a request to cancel what had ended, and was not told, came during a recovery and was never answered; one where a
# blank in a lost life was said again before it came home; one where both ends lost a circle's announcement; one where a number was
# given twice and the word that has to be said again had been erased meanwhile; one where a restored recipient could not read what
# it had to wipe, and left it; one where a sender had lost a life of which its peer held all but the first: they
# were taken for alike; one where a request was cancelled alone by a restored desk, and had left all the same; one where
# copies were signed for as destroyed of a consent that both ends had lost. 197 and 301 end well, but where words wait for what is
# lost.
CASEWORK = (20_005, 197, 301, 20_009, 93, 5_097, 1_385, 5_953, 2_965, 5_181, 2_397, 121, 677, 921, 561, 2_101, 9_101)
MORE_CASEWORK = range(2_001, 2_029, 4)
# Words are cleared after seconds. In the last, words that a restored peer was about to ask for were.
CLEARING = (3, 19, 35, 51, 67, 83, 6_211)
EXCHANGE = (*FOUND, *CLEARING, *(seed for seed in range(2_000, 2_000 + CLEAN) if not is_casework(seed)))
EACH_RUN = 4  # one of so many is played by `make test`, all by `make test-long`
SEEDS_MAX = 120  # from its first on, within which a rule's absence is found, also after the schedules have changed
# Where the search for a rule's absence begins: the first schedule that showed it.
FIRST = {
    "order by id": 147, "no fence": 10, "applied again": 58, "deleted, not blanked": 3, "lost wake-ups": 5, "held is enough": 1,
    "only up to N": 11, "no anchor": 51, "sizes, not sets": 16, "nothing is lost": 16,
}  # fmt: skip

pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def image() -> bytes:
    return empty_image()


@pytest.fixture
def home() -> Iterator[Path]:
    with folder() as place:
        yield Path(place)


@pytest.mark.parametrize("seeds", [EXCHANGE[::EACH_RUN], pytest.param(EXCHANGE, marks=pytest.mark.long)], ids=["some", "all"])
async def test_schedules_end_with_nothing_lost_nothing_doubled_and_nothing_falsely_claimed(
    seeds: Sequence[int], image: bytes, home: Path
) -> None:
    said = restores = 0
    for seed in seeds:
        verdict = await run(seed, image, home / str(seed), nullcontext() if is_casework(seed) else None)
        assert not verdict.faults, f"seed {seed}: {verdict.faults}"
        said, restores = said + verdict.said, restores + verdict.restores
    assert said > len(seeds) * 5
    assert restores > len(seeds) // 10


@pytest.mark.parametrize(
    "seeds", [CASEWORK[::EACH_RUN], pytest.param((*CASEWORK, *MORE_CASEWORK), marks=pytest.mark.long)], ids=["some", "all"]
)
async def test_casework_ends_in_agreement_and_whatever_was_late_had_its_alarm(
    seeds: Sequence[int], image: bytes, home: Path
) -> None:
    said = restores = 0
    for seed in seeds:
        verdict = await run(seed, image, home / str(seed))
        assert not verdict.faults, f"seed {seed}: {verdict.faults}"
        said, restores = said + verdict.said, restores + verdict.restores
    assert said > len(seeds) * 10
    assert restores > len(seeds) // 4


async def test_a_seed_replays_alike_whatever_ran_before_it(image: bytes, home: Path) -> None:
    assert await run(93, image, home / "first") == await run(93, image, home / "again")


@pytest.mark.long  # a minute each; what they guard has tests of its own in tests/journeys/test_restored.py
@pytest.mark.parametrize("rule", CASEWORK_RULES)
async def test_a_rule_of_casework_that_is_left_out_is_found(rule: str, image: bytes, home: Path) -> None:
    for seed in (*CASEWORK, *MORE_CASEWORK):
        with CASEWORK_RULES[rule]():
            if (await run(seed, image, home / f"{rule}{seed}")).faults:
                return
    pytest.fail(f"'{rule}' was left out of {len(CASEWORK) + len(MORE_CASEWORK)} schedules and nothing came of it")


# What such a mutant writes twice, the database's own keys may refuse before the oracle has looked.
NOTICED_BY_THE_DATABASE = {"no fence", "applied again"}
# Their faults are rare: schedules are run for a minute before one shows.
RARE = {
    "no fence", "order by id", "nothing is lost", "sizes, not sets", "no anchor", "only up to N", "lost wake-ups", "applied again",
}  # fmt: skip


@pytest.mark.parametrize("rule", [pytest.param(rule, marks=[pytest.mark.long] * (rule in RARE)) for rule in RULES])
async def test_a_rule_that_is_left_out_is_found(rule: str, image: bytes, home: Path) -> None:
    first = FIRST.get(rule, 0)
    for seed in range(first, first + SEEDS_MAX):
        if await _is_found(rule, seed, image, home / f"{rule}{seed}"):
            kept = await run(seed, image, home / f"{rule}{seed}-kept", BESIDE.get(rule, nullcontext)())
            assert not kept.faults, f"seed {seed} has faults with the rule too: {kept.faults}"
            return
    pytest.fail(f"'{rule}' was left out of {SEEDS_MAX} schedules and nothing came of it")


async def _is_found(rule: str, seed: int, image: bytes, home: Path) -> bool:
    try:
        return bool((await run(seed, image, home, RULES[rule]())).faults)
    except IntegrityError:  # whatever else is raised says that the mutant no longer fits the code
        if rule not in NOTICED_BY_THE_DATABASE:
            raise
        return True
