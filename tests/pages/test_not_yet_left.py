"""What has not left this desk: the page says of the line what is known of it, and no more."""

from dataclasses import dataclass
from datetime import timedelta

import pytest
from agencies import World
from shift import SENDING, asked, officer

from shared.casework.pages.frame import LEAVES_WITHIN
from shared.casework.work import pages

RETURNS = "It leaves by itself when the line is back."
MOMENT = "It leaves by itself in a moment."
HELD_UP = "The line is open, and it has not left all the same"
UNKNOWN = "It leaves by itself as soon as the line is open."
SAYINGS = (RETURNS, MOMENT, HELD_UP, UNKNOWN)


@dataclass
class Exchange:
    """What an exchange says of itself."""

    words: str | None = None
    stuck: str | None = None
    is_open: bool = True


@pytest.mark.parametrize(
    ("exchange", "after", "said", "why", "foot"),
    [
        (Exchange(words="No broker answers.", is_open=False), timedelta(0), RETURNS, "Not connected", "is not open"),
        (Exchange(stuck="Nothing has been sent."), timedelta(0), RETURNS, "Not connected", "is not open"),
        (Exchange(), timedelta(0), MOMENT, "Has not left yet", "Connected, checked"),
        (Exchange(), LEAVES_WITHIN + timedelta(seconds=1), HELD_UP, "Has not left yet", "Connected, checked"),
        (None, timedelta(0), UNKNOWN, "Has not left yet", "is not known here"),
    ],
)
async def test_what_has_not_left_says_what_is_known_of_the_line(
    world: World, exchange: Exchange | None, after: timedelta, said: str, why: str, foot: str
) -> None:
    desk = await officer(world)
    page = await asked(desk)
    referral = (await desk.send(page.form(page.path), **SENDING)).path
    world["police"].edge.exchange = exchange
    world.clock.advance(after)
    page = await desk.open("/work")
    assert ([one for one in SAYINGS if one in page.words], why in page.words, foot in page.words) == ([said], True, True)
    assert ("Not connected" in page.words) is (why == "Not connected")
    assert ("Call now." in page.words) is (said != MOMENT)
    page = await desk.open(referral)
    assert [one for one in SAYINGS if one in page.words] == [said]
    assert ("Call meanwhile." in page.words) is (said != MOMENT)


async def test_in_a_long_outage_every_request_that_has_not_left_stands_on_the_list(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each can be told by phone: first the boxes, then the rows."""
    monkeypatch.setattr(pages, "BOXES_MAX", 1)
    desk = await officer(world)
    kept = []
    for _each in range(3):
        page = await asked(desk)
        kept.append((await desk.send(page.form(page.path), **SENDING)).path)
    page = await desk.open("/work")
    assert {f"{referral}/told-by-phone" for referral in kept} <= set(page.links)
    assert "6 requests have not left this desk" in page.words  # the social worker is told along with each
    assert "Has not left yet either" in page.words
