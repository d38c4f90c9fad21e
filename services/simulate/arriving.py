"""Waiting for what travels: it is on its way for milliseconds of the machine's own time, whatever the replay's clock says."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection
from typing import Any

from services.simulate.client import Desk, Refused
from shared.kit.errors import RefnetError

ARRIVES_WITHIN_S = 60.0  # an event takes milliseconds; a machine that is busy with other things gets more
POLL_S = (0.01, 0.25)  # between looks, longer each time


Look = Callable[[], Awaitable[Any]]


async def _until(look: Look, words: str) -> Any:
    """What a look finds, as soon as it finds something; raises RefnetError where it never does."""
    until, (pause, longest) = time.monotonic() + ARRIVES_WITHIN_S, POLL_S
    while (found := await look()) is None:
        if time.monotonic() > until:
            raise RefnetError(f"{words} within {ARRIVES_WITHIN_S:.0f} s; see the agencies' logs, and `refnet doctor`.")
        await asyncio.sleep(pause)
        pause = min(pause * 2, longest)
    return found


async def opened(desk: Desk, referral_id: str) -> Any:
    """A referral as its recipient opens it, as soon as it is there."""

    async def look() -> Any:
        try:
            return await desk.get(f"/referrals/{referral_id}")
        except Refused as refused:
            if refused.status != 404:
                raise
            return None

    return await _until(look, f"A referral did not come to {desk.line.agency}")


async def heard(desk: Desk, referral_id: str, status: str) -> Any:
    """A referral as its issuer has it, as soon as it stands so there: what the recipient said has come."""

    async def look() -> Any:
        found = await desk.get(f"/referrals/{referral_id}")
        return found if found["status"] == status else None

    return await _until(look, f"{desk.line.agency} did not hear that a referral is {status}")


async def erased(desk: Desk, case_id: str, consent_id: str) -> None:
    """Waits until the recipient has signed that it destroyed what it had, because consent was taken back: else the clock would run
    hours over what takes a second, and it would count as not honoured in time."""

    async def look() -> Any:
        items = (await desk.get(f"/cases/{case_id}/consents"))["items"]
        return next(one["erasure_signed_at"] for one in items if one["id"] == consent_id)

    await _until(look, f"Nobody signed for what was taken back at {desk.line.agency}")


async def opened_request(keeper: Desk, store: str, request_id: str) -> Any:
    """A station's request for supplies, as soon as it is at the store."""

    async def look() -> Any:
        items = (await keeper.get(f"/supplies/requests?facility={store}"))["items"]
        return next((one for one in items if one["id"] == request_id), None)

    return await _until(look, f"A request for supplies did not come to {keeper.line.agency}")


async def until_sent(desk: Desk, place: str, request_id: str) -> Any:
    """The same at the station, as soon as it knows that a parcel is on its way."""

    async def look() -> Any:
        items = (await desk.get(f"/dispensing/requests?facility={place}"))["items"]
        return next((one for one in items if one["id"] == request_id and one["state"] == "sent"), None)

    return await _until(look, f"The answer to a request for supplies did not come to {desk.line.agency}")


async def in_step(desk: Desk) -> Any:
    """The state of an agency's lines, as soon as each peer has signed for everything; as it is where one does not in time."""

    async def look() -> Any:
        peers = (await desk.get("/peers"))["items"]
        return None if any(one["unsent"] or one["undelivered"] or one["waiting_here"] for one in peers) else peers

    try:
        return await _until(look, "not in step")
    except RefnetError:
        return (await desk.get("/peers"))["items"]


async def alarm(desk: Desk, kind: str, facility: str) -> Any:
    """An open alarm of a kind about a place, as soon as the watcher has raised it; None where it does not."""

    async def look() -> Any:
        return next((one for one in await desk.all_of("/alarms") if (one["kind"], one["facility"]) == (kind, facility)), None)

    try:
        return await _until(look, "no alarm")
    except RefnetError:
        return None


async def is_there(desk: Desk, referral_id: str) -> bool:
    """Whether an agency has a referral now."""
    try:
        await desk.get(f"/referrals/{referral_id}")
    except Refused as refused:
        if refused.status != 404:
            raise
        return False
    return True


async def untold(head: Desk, quarter: str, agencies: Collection[str]) -> set[str]:
    """Those of the agencies that have told an oversight body nothing of a quarter, once nobody is left, or in time."""

    async def lacking() -> set[str]:
        told = {one["agency"] for one in (await head.get(f"/national?period={quarter}"))["items"] if one["cubes"]}
        return set(agencies) - told

    async def look() -> Any:
        return None if await lacking() else True

    try:
        await _until(look, "not told")
    except RefnetError:
        return await lacking()
    return set()
