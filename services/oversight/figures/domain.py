"""What is computed of released figures alone: how reports thin out on their way through justice, and whether other than specialised
desks refer (domain.md, section 5). A number that cannot be known from what was released is None.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from shared.casework.figures.domain import STEPS, TOTAL, Shown, key


@dataclass(frozen=True, slots=True)
class Stage:
    """How many reports have come at least so far, and the share of the stage before, in a hundred."""

    step: str
    reached: int | None
    share: float | None


def attrition(values: Shown) -> list[Stage]:
    """Report, investigation, charge, trial, verdict: each stage holds those of the later ones. Nothing where it is not counted."""
    if any(key(("step", step)) not in values for step in STEPS):
        return []
    by_step = [values[key(("step", step))] for step in STEPS]
    found: list[Stage] = []
    for n, step in enumerate(STEPS):
        reached = _sum(by_step[n:])
        if reached is None and values[TOTAL] is not None and (before := _sum(by_step[:n])) is not None:
            reached = (values[TOTAL] or 0) - before  # what is shown of the others says it
        last = found[-1].reached if found else None
        found.append(Stage(step, reached, 100 * reached / last if reached is not None and last else None))
    return found


def _sum(numbers: Sequence[int | None]) -> int | None:
    known = [number for number in numbers if number is not None]
    return sum(known) if len(known) == len(numbers) else None


@dataclass(frozen=True, slots=True)
class Isolation:
    """Referrals of other than specialised desks among all, in a hundred."""

    of_others: int | None
    of_specialists: int | None
    in_all: int

    @property
    def share(self) -> float | None:
        """None where it is hidden, or nothing was referred."""
        return 100 * self.of_others / self.in_all if self.of_others is not None and self.in_all else None

    @property
    def is_alarming(self) -> bool:
        """Whether every referral came from a specialised desk: the others may be passing nobody on."""
        return self.in_all > 0 and self.of_specialists == self.in_all


def together(several: Sequence[Isolation | None]) -> Isolation | None:
    """Several agencies as one; None where of one of them nothing is known. What one of them hides is hidden of all."""
    known = [one for one in several if one is not None]
    if not known or len(known) < len(several):
        return None
    others, specialists = _sum([one.of_others for one in known]), _sum([one.of_specialists for one in known])
    return Isolation(others, specialists, sum(one.in_all for one in known))


def isolation(values: Shown) -> Isolation | None:
    """None where it was not counted."""
    others, specialists = key(("from_desk", "other")), key(("from_desk", "specialist"))
    total = values.get(TOTAL)
    if total is None or others not in values or specialists not in values:
        return None
    return Isolation(values[others], values[specialists], total)
