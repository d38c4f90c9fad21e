"""What an agency's supervisor is answered when she asks what was counted, as tests look at it."""

from typing import Any

from agencies import Desk, TestAgency, World

from shared.contracts.casework.codes import Role
from shared.kit.ids import new_id

YEAR = 2026  # in which the clock of these tests stands


async def lead(agency: TestAgency, facility: str | None = None) -> Desk:
    """A supervisor, of the whole agency unless a place is named."""
    return await agency.sign_in(f"lead-{new_id().hex[-12:]}", Role.SUPERVISOR, facility)


class Seen:
    """One answer."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer

    def __call__(self, measure: str, place: str | None = None) -> int | None:
        """How many of a measure, at a place where one is named; None where it is left out."""
        rows = [one for one in self.answer["counts"] if one["measure"] == measure]
        return sum(one["count"] for one in rows if place in (None, one["place"])) if rows else None

    def hours(self, duration: str) -> list[float] | None:
        """Durations; None where they are left out."""
        return next((one["hours"] for one in self.answer["hours"] if one["duration"] == duration), None)


async def seen(supervisor: Desk, year: int = YEAR) -> Seen:
    """What she is answered."""
    return Seen(await supervisor.get(f"/counts?year={year}"))


async def of_all(world: World, year: int = YEAR) -> dict[str, Seen]:
    """What every agency's supervisor is answered."""
    return {name: await seen(await lead(agency), year) for name, agency in world.agencies.items()}
