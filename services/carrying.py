"""`refnet carry`: what waits for other agencies onto a stick, and what a stick brought into the database."""

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from services.runtime import Agency, build, check_database, check_peer
from services.settings import Settings
from shared.exchange.anchor import Anchor, check_anchor
from shared.exchange.carry import Carrier, Held, Taken, Written, fault_of
from shared.exchange.directories import recall_lines
from shared.exchange.tables import OutboxRow
from shared.kit.errors import RefnetError
from shared.kit.files import check_new

Step = Callable[[int], None]


async def carry_out(
    settings: Settings, agency_id: str, file: Path, only: str | None, after: int | None, step: Step
) -> dict[str, Any]:
    """Writes the file; what it holds, and the same in words. Raises RefnetError, and then there is no file."""
    agency = build(settings, agency_id)
    check_new(file)  # before anything of this agency is touched
    check_peer(agency, only)
    try:
        if after is not None:
            await _check_position(agency, after)
        carrier = await _ready(agency, settings)
        written = await carrier.export(file, [only] if only is not None else agency.here.peers, after=after or 0, step=step)
    finally:
        await agency.database.close()
    data = {
        "file": str(file), "bytes": written.size, "events": dict(written.events), "left": written.left, "after": written.after,
        "shut": written.shut, "not_written": written.away,
    }  # fmt: skip
    return {**data, "words": _written(agency_id, file, written)}


async def carry_in(settings: Settings, agency_id: str, file: Path, step: Step) -> dict[str, Any]:
    """Takes what the file has for this agency; what came of it, `is_good` where it was whole and for us. Raises RefnetError."""
    agency = build(settings, agency_id)
    fault_of(file)  # before anything of this agency is touched
    try:
        carrier = await _ready(agency, settings)
        taken = await carrier.take(file, step)
    finally:
        await agency.database.close()
    streams = [
        {"sender": of.sender, "events": of.events, "new": of.fresh, "applied": of.applied, "waiting": of.waiting,
         "parked": of.parked, "letters": of.letters, "came_home": of.returned}
        for of in taken.streams.values()
    ]  # fmt: skip
    data = {
        "file": str(file), "fault": taken.fault, "stream": streams[0] if streams else None, "streams": streams,
        "unopened": taken.unopened, "for_others": dict(taken.others),
    }  # fmt: skip
    is_good = taken.fault is None and bool(streams) and not taken.unopened
    return {**data, "is_good": is_good, "words": _taken(agency_id, file, taken)}


async def held_here(settings: Settings, agency_id: str, only: str | None) -> dict[str, Any]:
    """What waits here for a stick to each peer, and the same in words; nothing is written. Raises RefnetError."""
    agency = build(settings, agency_id)
    check_peer(agency, only)
    try:
        await check_database(agency)
        carrier = agency.carrier(settings)
        found = await carrier.held([only] if only is not None else agency.here.peers)
    finally:
        await agency.database.close()
    return {"held": [asdict(one) for one in found], "words": "\n".join(map(_held, found))}


def _held(one: Held) -> str:
    if not one.events:
        words = "nothing waits"
    else:
        words = f"{one.events:,} not confirmed" + (f", the oldest since {one.since:%Y-%m-%d %H:%M} UTC" if one.since else "")
    return f"{one.peer}: {words}" + (f"; {one.answers:,} letters that answer its own" if one.answers else "") + "."


async def _check_position(agency: Agency, after: int) -> None:
    """Raises RefnetError where no file of this agency can have ended there."""
    await check_database(agency)
    async with agency.database.read() as tx:
        if await tx.session.get(OutboxRow, after) is None:
            raise RefnetError(
                f"No file ended with {after}; give --after the number that the former export printed, or leave it out."
            )


async def _ready(agency: Agency, settings: Settings) -> Carrier:
    await check_database(agency)
    await check_anchor(agency.database, Anchor(settings.anchor(agency.here.agency)), agency.here.peers, agency.hooks)
    carrier = agency.carrier(settings)
    await recall_lines(agency.database, carrier.seal)
    return carrier


def _written(agency: str, file: Path, written: Written) -> str:
    lines = [f"{file} holds what waits for {count_words(dict(written.events)) or 'nobody; it tells where ' + agency + ' stands'}."]
    lines += [f"{peer}: not written. {why}" for peer, why in written.away.items()]
    if written.left:
        lines.append(
            f"{written.left:,} more did not fit. Another file takes them now: `refnet carry export {agency} FILE"
            f" --after {written.after}`."
        )
    if written.shut:
        lines.append(f"{written.shut:,} could not be read: their keys are not in the keystore; `refnet doctor` says what to do.")
    lines.append(
        "Nothing is confirmed before the other agency has imported it and its own file has come back and was imported here."
    )
    return "\n".join(lines)


def count_words(by_agency: dict[str, int]) -> str:
    """Agencies with their counts."""
    return ", ".join(f"{agency} ({count:,})" for agency, count in sorted(by_agency.items()))


def _taken(agency: str, file: Path, taken: Taken) -> str:
    lines, of = [], taken.of
    others = {name: count for name, count in taken.others.items() if name}
    for of in taken.streams.values():
        lines.append(
            f"{of.sender}: {of.events:,} events, {of.fresh:,} of them new; {of.applied:,} are used, {of.waiting:,} wait for an"
            f" earlier one, {of.parked:,} could not be used (Messages that wait)."
        )
        if of.returned:
            lines.append(f"{of.returned:,} words of {agency}'s own came home.")
    if taken.fault == "short":
        lines.append(f"{file} ends too early: it was cut off. What came is kept; copy it again, or have it exported again.")
    elif taken.fault == "altered":
        lines.append(f"{file} was changed on the way. What is sound is kept; have it exported again, and ask who held the stick.")
    elif of is None and not others:
        lines.append(f"{file} holds nothing that {agency} can open: its writer may know no key of {agency}'s, or be no peer.")
    if taken.unopened:
        lines.append(f"{taken.unopened:,} could not be opened and were left; what is lacking is asked for again.")
    if others and of is None:
        lines.append(f"{file} is for {count_words(others)}, not for {agency}: nothing was taken. Take it there.")
    elif others:
        lines.append(f"It also holds something for {count_words(others)}: take it there too.")
    lines += [
        f"The answer is ready: `refnet carry export {agency} FILE --for {sender}` writes it; take that file back."
        for sender in taken.streams
    ]
    return "\n".join(lines)
