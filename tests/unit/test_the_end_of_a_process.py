"""What works beside the pages ends soon after it is told to, and what it fails with is not swallowed."""

import asyncio
from pathlib import Path

import pytest

from services import probe, serve
from shared.exchange import worker

ROOT = Path(__file__).parents[2]


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


def test_the_operators_page_promises_what_the_times_come_to() -> None:
    """The longest that each may take, whatever hangs: step by step as services/serve.py and the exchange's own end have them."""
    exchange = worker.STOP_TIMEOUT_S + 4 * worker.LET_GO_S
    closing, cut_off = 2 * serve.LAST_S, 2 * serve.LAST_S  # the connections, then whatever is left; what looks for room on the disk
    ends = {
        "worker": exchange + probe.GRACE_S + closing,
        "serve": max(serve.FIRST_S + exchange, serve.GRACE_S) + cut_off + closing,
        "web": serve.GRACE_S + cut_off + closing,
    }
    page, compose = (" ".join((ROOT / name).read_text().split()) for name in ("docs/operating.md", "deploy/compose.yaml"))
    assert (
        f"`refnet worker` within {ends['worker']:.0f} s ({exchange:.0f} of them the exchange), `refnet serve` within"
        f" {ends['serve']:.0f} s and `refnet web` within {ends['web']:.0f} s: supervisors should allow 30, 40 and 20."
    ) in page
    assert ends["worker"] < 30
    assert ends["serve"] < 40
    assert ends["web"] < 20
    assert (
        f"stop_grace_period: 30s # ends the batch under way and commits, sends what it has in hand ({ends['worker']:.0f} s"
        in compose
    )
    assert "stop_grace_period: 20s # closes event streams, ends the requests under way" in compose
