"""What works beside the pages ends soon after it is told to, and what it fails with is not swallowed."""

import asyncio

import pytest

from services import serve


async def test_a_loop_that_goes_on_for_ever_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serve, "LAST_S", 0.05)
    stop, is_cut = asyncio.Event(), asyncio.Event()

    async def for_ever(_stop: asyncio.Event) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            is_cut.set()

    running = asyncio.create_task(serve._cut_off(for_ever)(stop))
    await asyncio.sleep(0)
    assert not running.done()
    stop.set()
    await asyncio.wait_for(running, 30)
    assert is_cut.is_set()


async def test_a_loop_that_has_time_ends_by_itself() -> None:
    stop, has_ended = asyncio.Event(), False

    async def ends(stop: asyncio.Event) -> None:
        nonlocal has_ended
        await stop.wait()
        await asyncio.sleep(0.01)  # what it has begun
        has_ended = True

    running = asyncio.create_task(serve._cut_off(ends)(stop))
    stop.set()
    await asyncio.wait_for(running, 30)
    assert has_ended


async def test_what_a_loop_fails_with_goes_up() -> None:
    async def fails(_stop: asyncio.Event) -> None:
        raise LookupError("gone")

    with pytest.raises(LookupError, match="gone"):
        await serve._cut_off(fails)(asyncio.Event())
