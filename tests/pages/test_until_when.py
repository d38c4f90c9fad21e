"""Until when what she agreed to holds: asked on the page, shown on the case, reminded before, and never the end of care."""

from datetime import timedelta

import pytest
from agencies import World
from desk_pages import at_the_desk, to_consent, to_place
from shift import officer
from sqlalchemy import select

from shared.casework.alarms.watcher import REMIND_BEFORE
from shared.casework.consents.tables import Consent
from shared.casework.pages.words import SPANS
from shared.programmes.profile import CONSENT_DAYS

on_sqlite = pytest.mark.parametrize("world", ["sqlite"], indirect=True)


async def spans(world: World) -> list[int | None]:
    """For how many days each answer holds."""
    async with world["police"].database.read() as tx:
        rows = (await tx.session.execute(select(Consent).order_by(Consent.id))).scalars()  # type: ignore[arg-type]
        return [(row.expires_at - row.given_at).days if row.expires_at else None for row in rows]


def test_every_span_has_its_words() -> None:
    assert set(SPANS) == {*map(str, CONSENT_DAYS), "never"}


@on_sqlite
async def test_until_when_is_the_programmes_unless_she_says_otherwise(world: World) -> None:
    desk = await at_the_desk(world)
    preset = world["police"].here.programme.consent_days
    assert preset is not None
    page = await to_consent(desk)
    assert page.form(page.path).fields["ends"] == [str(preset)]
    await to_place(desk, page)
    await to_place(desk, await to_consent(desk), ends="30")
    await to_place(desk, await to_consent(desk), ends="never")
    assert await spans(world) == [preset, preset, 30, 30, None, None]


@on_sqlite
async def test_the_case_says_until_when_and_somebody_is_reminded_before(world: World) -> None:
    desk = await at_the_desk(world)
    case = (await to_place(desk, await to_consent(desk), ends="30", answer_social_welfare="no")).path.removesuffix("/refer")
    page = await desk.open(case)
    assert "Holds until 4 February 2026." in page.words
    assert "Holds until 4 February 2026." in (await desk.open(f"{case}/consent")).words
    world.clock.advance(timedelta(days=30) - REMIND_BEFORE)
    await world["police"].watcher.tick()
    desk = await officer(world, f"officer-{world.clock.now():%j}")
    assert "ends soon, or has ended: ask again" in (await desk.open("/alarms")).words
    world.clock.advance(REMIND_BEFORE)
    desk = await officer(world, f"officer-{world.clock.now():%j}")
    assert "Ended 4 February 2026: nothing more is told. Care goes on." in (await desk.open(case)).words
