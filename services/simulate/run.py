"""`refnet simulate`: a programme's agencies as processes of their own, on a clock that a replay puts on; a caseload that is driven
through their API; and what their records come to, beside what the report says.
"""

import asyncio
import os
import subprocess
import sys
import time as machine
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

from services.runtime import build
from services.simulate import arriving, measured, overseen
from services.simulate.boxes import Boxes
from services.simulate.caseload import Caseload, Ground, LineCall, draw, ground_of
from services.simulate.centres import Centres
from services.simulate.client import Line
from services.simulate.clinics import Clinics
from services.simulate.days import Days
from services.simulate.desks import Desks
from services.simulate.offices import Offices
from services.simulate.overseen import Overseen
from services.simulate.room import Room
from services.simulate.town import TOKENS_RENEWED_AFTER, Town, people_of
from services.simulate.units import Returned, Units
from services.staging import (
    Account,
    BrokerChoice,
    ProcessRole,
    Stage,
    alone,
    begin,
    check_free,
    direct_ports,
    end,
    find_broker,
    fresh_folder,
    leaving_on_signals,
    ports_after,
    running,
    set_up,
    wait_ready,
    write_network,
)
from shared.casework.accounts.commands import make_token
from shared.casework.directory.of_programme import network_of
from shared.casework.figures import watch as figures_watch
from shared.casework.figures.on_time import RELEASED_AFTER
from shared.contracts.casework.codes import ServicePackage
from shared.kit.errors import RefnetError
from shared.programmes.indicators import Duration, NotHeld
from shared.programmes.profile import ProfileError, Programme, known_profiles, load_programme
from shared.programmes.tallies import Counted

BEFORE_DAYS = 3  # the days before the first: courses end, boxes are filled
BEGINS_AT, ENDS_AT = time(9, 0), time(23, 0)
DAY_AFTER_AT = time(9, 0)
CALLS_OF_THE_DAY_AFTER = 3
AFTERWARDS = RELEASED_AFTER + timedelta(days=2)  # until everybody has told an oversight body of the last quarter

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Order:
    """What is asked of a replay."""

    programme: str
    seed: int = 1
    years: int | None = None
    broker: BrokerChoice = "auto"
    port: int = 8300
    keep: bool = False
    databases: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a replay came to. `lost` counts referrals of which their recipient has no record; `behind` are lines not in step."""

    programme: Programme
    lines: tuple[measured.Line, ...]
    issued: int
    lost: int
    behind: tuple[str, ...]
    asked: int
    took_s: float
    years: tuple[int, ...]
    reports: int
    calls: int
    unmanned: "Unmanned | None"
    handed_over: "HandedOver | None" = None
    tours: tuple[Returned, ...] = ()
    overseen: tuple[Overseen, ...] = ()

    @property
    def is_met(self) -> bool:
        """Whether everything that is expected was met, and nothing was lost."""
        others = [one.is_right for one in (self.unmanned, self.handed_over, *self.tours, *self.overseen) if one is not None]
        return measured.is_all_met(self.lines) and not self.lost and not self.behind and all(others)


@dataclass(frozen=True, slots=True)
class HandedOver:
    """Complaints that went to a prosecutor: of each, the hours from its registration, by the records; and how those stand that
    began at a mobile unit. None where the network has no such unit."""

    hours: Sequence[float]
    begun_at_units: Mapping[str, int] | None

    @property
    def is_right(self) -> bool:
        """Whether some began at a unit, and each was handed over in time; of the others the programme's own figure says it."""
        return self.begun_at_units is None or set(self.begun_at_units) == {"in_time"}


@dataclass(frozen=True, slots=True)
class Unmanned:
    """The day after, on which one desk has nobody: what the indicators that have an alarm come to, beside what the programme
    expects of that day; whether the supervisor finds the alarm, and where the calls of its district went."""

    place: str
    lines: tuple[measured.Line, ...]
    is_alarmed: bool
    went_to: tuple[str | None, ...]

    @property
    def is_right(self) -> bool:
        """Whether figures are as expected, it is told, and no call was left or went to a desk with nobody."""
        return (
            self.is_alarmed
            and measured.is_all_met(self.lines)
            and all(desk is not None and desk != self.place for desk in self.went_to)
        )


def known_programmes() -> list[str]:
    """Ours that have numbers to replay."""
    return [id_ for id_ in known_profiles() if id_ != "base" and load_programme(id_).replay]


def simulate(order: Order, say: Say, is_watched: bool) -> Outcome:
    """One replay from its first day to its figures; raises RefnetError with one sentence where it cannot run."""
    try:
        programme = load_programme(order.programme)
    except ProfileError as error:
        raise RefnetError(str(error)) from None
    network = network_of(programme, "simulation")
    ground = ground_of(programme, network)
    caseload = draw(ground, order.seed, order.years)
    home = Path(os.environ.get("REFNET_HOME", ".refnet")).resolve() / "simulate" / programme.id
    ports = ports_after(order.port, list(network.agencies))
    with ExitStack() as stack:
        stack.enter_context(leaving_on_signals())
        stack.enter_context(alone(home, RUNS_ALREADY))
        check_free([*ports.values(), *direct_ports(ports).values()], OTHER_PORTS)
        fresh_folder(home)
        if not order.keep:
            stack.callback(_forget, home)
        line = find_broker(order.broker, home, stack, say)
        stage = Stage(home, line, network, ports, order.programme, order.databases, home / "clock")
        return asyncio.run(_Replay(stage, programme, ground, caseload, order.seed, say, is_watched).whole())


RUNS_ALREADY = (
    "This programme is being simulated already in this folder; wait for it, or set REFNET_HOME to another and choose --port."
)
OTHER_PORTS = "end what runs there, or choose others with --port."


def _forget(home: Path) -> None:
    """Nobody in it was real, and databases of years are large; logs and figures were told."""
    fresh_folder(home)
    home.rmdir()


class _Replay:
    """One replay at work."""

    def __init__(
        self, stage: Stage, programme: Programme, ground: Ground, caseload: Caseload, seed: int, say: Say, is_watched: bool
    ) -> None:
        assert stage.clock is not None
        self.stage, self.programme, self.caseload, self.say, self.is_watched = stage, programme, caseload, say, is_watched
        lines = {agency: Line(agency, stage.address(agency)) for agency in stage.network.agencies}
        self.first, self.last = date(caseload.years[0], 1, 1), date(caseload.years[-1], 12, 31)
        begins = datetime.combine(self.first - timedelta(days=BEFORE_DAYS), BEGINS_AT, UTC)
        self.town = Town(programme, stage.network, ground, Days(stage.clock, begins), lines)
        waiting: dict[str, list[str]] = {}
        self.boxes, self.offices = Boxes(self.town, seed), Offices(self.town)
        centres = Centres(self.town)
        self.desks = Desks(self.town, Clinics(self.town), self.offices, self.boxes, centres, waiting)
        self.room = Room(self.town, waiting)
        self.units = Units(self.town, self.desks, self._restart)
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    async def whole(self) -> Outcome:
        """From accounts to figures."""
        people = people_of(self.town.ground, self.programme, self.stage.network)
        write_network(self.stage)
        accounts = await set_up(self.stage, people)
        self.town.take(people, accounts)
        with running(self.stage) as self.processes:
            await asyncio.to_thread(wait_ready, self.stage, self.processes, accounts, OTHER_PORTS)
            count = f"{len(self.caseload.reports):,} reports" + (
                f", {len(self.caseload.calls):,} calls" if self.caseload.calls else ""
            )
            self.say(f"{self.programme.name.in_('en')}: {_span(self.caseload.years)}, {count}, all made up.")
            began = machine.monotonic()
            try:
                outcome = await self._years(began)
            finally:
                for line in self.town.lines.values():
                    await line.close()
            return outcome

    async def _years(self, began: float) -> Outcome:
        town, days = self.town, self.town.days
        await self.boxes.open()
        self._plan()
        await days.run(town.local(self.last, ENDS_AT), self._each_day)
        behind = await self._behind()
        counted = await measured.asked(town.serving, self.caseload.years)
        lines = tuple(measured.lines_of(self.programme, counted))
        handed_over = await self._handed_over(counted)
        lost = await self._lost()
        took = machine.monotonic() - began
        unmanned = await self._day_after() if town.ground.desks else None
        looked_at = tuple([await self._look_at(agency) for agency in town.supervisors if agency not in town.serving])
        self._show("")
        return Outcome(
            self.programme, lines, len(self.town.issued), lost, behind, sum(line.asked for line in town.lines.values()), took,
            self.caseload.years, len(self.caseload.reports), len(self.caseload.calls), unmanned, handed_over,
            tuple(self.units.returned), looked_at,
        )  # fmt: skip

    def _plan(self) -> None:
        town = self.town
        visited: dict[date, set[str]] = {}
        for one in self.caseload.reports:
            visited.setdefault(one.came_at.date(), set()).add(one.place)
            town.days.at(one.came_at, partial(self.desks.receive, one))
        self.boxes.plan(self.first, self.last)
        self.room.plan(self.first, self.last, self.caseload.calls, visited)
        self.units.plan(self.caseload.tours)
        moment = town.days.now + TOKENS_RENEWED_AFTER
        while moment < town.local(self.last, ENDS_AT) + AFTERWARDS:
            town.days.at(moment, self._renew_tokens)
            moment += TOKENS_RENEWED_AFTER

    async def _renew_tokens(self) -> None:
        """A program's token ends after a quarter; whoever runs an agency prints another, as `refnet token` does."""
        for agency in self.stage.network.agencies:
            made = build(self.stage.settings(agency), agency)
            try:
                async with made.database.write() as tx:
                    for desk in self.town.everybody(agency):
                        desk.token = await make_token(tx, desk.name)
            finally:
                await made.database.close()

    async def _restart(self, agency: str, role: ProcessRole) -> None:
        """An agency's process ends, and another is ready in its place."""
        supervisor = self.town.supervisors[agency]
        await asyncio.to_thread(end, [self.processes[agency]])
        self.processes[agency] = begin(self.stage, agency, role)
        alone_there = replace(self.stage, ports={agency: self.stage.ports[agency]})
        known = {agency: [Account(UUID(supervisor.account_id), supervisor.token)]}
        await asyncio.to_thread(wait_ready, alone_there, {agency: self.processes[agency]}, known, OTHER_PORTS)

    def _each_day(self, moment: datetime) -> None:
        self.stage.check_alive(self.processes)
        on_tour = sum(len(tour.reports) for tour in self.caseload.tours)
        total = len(self.caseload.reports) + on_tour + len(self.caseload.calls)
        self._show(f"{moment:%Y-%m-%d}  {self.desks.done + self.room.done:,} of {total:,} reports and calls")

    def _show(self, words: str) -> None:
        if self.is_watched:
            sys.stderr.write(f"\r\033[K{words}")
            sys.stderr.flush()

    async def _behind(self) -> tuple[str, ...]:
        """Lines whose peer has not signed for everything."""
        found = []
        for agency, supervisor in self.town.supervisors.items():
            for peer in await arriving.in_step(supervisor):
                wrong = [name for name in ("unsent", "undelivered", "waiting_here", "parked_here", "refused") if peer[name]]
                found += [f"{agency} and {peer['agency']}: {', '.join(wrong)}; {peer['words']}"] if wrong else []
        return tuple(found)

    async def _lost(self) -> int:
        """How many referrals were issued of which their recipient has no record: both ends are asked, and what was driven."""
        town = self.town
        senders = {town.police, *town.ground.units}
        out = {one["id"] for agency in senders for one in await town.supervisors[agency].all_of("/referrals?direction=out")}
        held = {
            agency: {one["id"] for one in await desk.all_of("/referrals?direction=in")} for agency, desk in town.serving.items()
        }
        return sum(id_ not in out or id_ not in held[agency] for id_, agency in self.town.issued)

    async def _handed_over(self, counted: Counted) -> HandedOver | None:
        """What the records say of complaints on their way to a prosecutor; None where the programme hands none over."""
        try:
            hours = counted.hours(Duration.HAND_OVER_TIME)
        except NotHeld:
            return None
        begun = await self.units.handed_over() if self.town.ground.units else None
        return HandedOver(hours, begun) if hours or begun is not None else None

    async def _look_at(self, agency: str) -> Overseen:
        """Once everybody's figures of the last quarter are due, an oversight body has been told them; and what it holds is read."""
        town = self.town
        untold = {town.police, *town.ground.units, *(recipient for _id, recipient in self.town.issued)}  # everybody who worked
        for more in (timedelta(0), figures_watch.EVERY):  # whoever was too busy to release looks again then
            if untold:
                await town.days.run(town.local(self.last, ENDS_AT) + AFTERWARDS + more, self._each_day)
                untold = await arriving.untold(town.supervisors[agency], f"{self.last.year}-Q4", untold)
        await arriving.in_step(town.supervisors[agency])
        made = {one: build(self.stage.settings(one), one) for one in (agency, *town.serving)}
        try:
            others = {one: made[one].database for one in town.serving}
            return await overseen.look(agency, made[agency].database, others, untold)
        finally:
            for one in made.values():
                await one.database.close()

    async def _day_after(self) -> Unmanned:
        """One desk has nobody on its roster: coverage falls, a supervisor is told, its district's calls reach another desk."""
        town, room = self.town, self.room
        place, day = town.ground.desks[self.boxes.seed % len(town.ground.desks)], self.last + timedelta(days=1)
        await room.hold(day, day, but=place)
        await town.days.run(town.local(day, DAY_AFTER_AT), self._each_day)
        for desk in town.ground.desks:
            if desk != place:
                await room.say(desk)
        is_alarmed = await room.alarm_of(place) is not None
        went_to = []
        for turn in range(CALLS_OF_THE_DAY_AFTER):
            call = LineCall(
                -1 - turn, town.days.now, "report", town.ground.channels[0], town.ground.district_of[place],
                town.ground.languages[0], ServicePackage.PROTECTION,
            )  # fmt: skip
            went_to.append(await room.take(call))
        await town.days.run(town.days.now + timedelta(minutes=30), self._each_day)
        counted = await measured.asked(town.serving, [day.year])
        lines = measured.lines_of(self.programme, counted, self.programme.expect_unmanned)
        told = tuple(one for one in lines if one.expected is not None or self.programme.indicators[one.id].alarm is not None)
        return Unmanned(place, told, is_alarmed, tuple(went_to))


def _span(years: tuple[int, ...]) -> str:
    return str(years[0]) if len(years) == 1 else f"{years[0]} to {years[-1]}"


def in_words(outcome: Outcome) -> str:
    """The figures, what they are worth, and what was not lost."""
    told = [measured.in_words(outcome.lines), ""]
    told.append(
        f"{outcome.issued:,} referrals were issued; {outcome.lost or 'none'} of them is without its recipient's record, and "
        + ("every line is in step." if not outcome.behind else "these lines are not in step: " + "; ".join(outcome.behind))
    )
    if outcome.handed_over is not None:
        told.append(_handed_over(outcome.handed_over))
    told += [_returned(one) for one in outcome.tours]
    told += [_overseen(one) for one in outcome.overseen]
    if outcome.unmanned is not None:
        told.append(_unmanned(outcome.unmanned))
    told.append(
        f"{outcome.asked:,} requests in {outcome.took_s:,.0f} s: {outcome.asked / max(outcome.took_s, 0.001):,.0f} a second."
    )
    return "\n".join(told)


MET = {True: ", as expected", False: ", NOT AS EXPECTED", None: ""}


def _handed_over(one: HandedOver) -> str:
    begun = one.begun_at_units
    told = f"{len(one.hours):,} complaints were handed over"
    if one.hours:
        told += f", the last of them {max(one.hours):.1f} h after it was registered"
    if begun:
        late = {stands: many for stands, many in begun.items() if stands != "in_time"}
        how = f"NOT ALL OF THEM IN TIME: {late}" if late else "all in time"
        told += f"; {sum(begun.values())} began at a mobile unit, {how}"
    elif begun is not None:
        told += "; NONE BEGAN AT A MOBILE UNIT"
    return f"{told}."


def _returned(one: Returned) -> str:
    hours = one.without_a_line.total_seconds() / 3600
    told = [f"The mobile unit ({one.agency}) was {hours:.0f} h without a line: {one.waited} referrals waited"]
    told += [f"{len(one.early)} of them HAD LEFT BEFORE"] if one.early else []
    told.append(
        f"{len(one.lacking)} of them ARE NOT AT THEIR RECIPIENTS AS WRITTEN" if one.lacking else "all are at their recipients"
    )
    given, held = one.numbers
    told.append(f"its mother station holds {'all' if given == held else f'{held} OF'} {given} numbers of its register")
    return f"{', '.join(told)}."


def _overseen(one: Overseen) -> str:
    told = [f"{one.agency} was told {one.told} releases with {one.numbers:,} counts"]
    told += [f"and nothing of the last quarter by {', '.join(one.untold)}"] if one.untold else []
    beside = f"holds MORE THAN COUNTS: {'; '.join(one.found[:FOUND_TOLD])}" if one.found else "holds counts only"
    told.append(f"{beside} ({one.searched:,} ids and numbers of the others' records were looked for in its whole database)")
    return f"{', '.join(told)}."


FOUND_TOLD = 5  # of what is no count: enough to look for the cause


def _unmanned(one: Unmanned) -> str:
    figures = [f"{line.name}: {line.value:.1f}{MET[line.met]}" for line in one.lines if line.value is not None]
    alarm = "the supervisor's alarms show it" if one.is_alarmed else "NO ALARM shows it"
    where = ", ".join(desk or "NOWHERE" for desk in one.went_to)
    told = "; ".join([*figures, alarm, f"its district's calls went to {where}"])
    return f"The day after, {one.place} has nobody: {told}."


def as_data(outcomes: list[Outcome]) -> dict[str, Any]:
    """As `--json` prints it."""
    return {
        "programmes": [
            measured.as_data(one.programme, one.lines)
            | ({"unmanned": measured.as_data(one.programme, one.unmanned.lines)["indicators"]} if one.unmanned is not None else {})
            | ({"handed_over": _to_prosecutors(one.handed_over)} if one.handed_over is not None else {})
            | ({"tours": [_tour(tour) for tour in one.tours]} if one.tours else {})
            | ({"overseen": [_held(held) for held in one.overseen]} if one.overseen else {})
            for one in outcomes
        ]
    }


def _to_prosecutors(one: HandedOver) -> dict[str, Any]:
    latest = max(one.hours, default=None)
    return {"complaints": len(one.hours), "latest_h": latest, "begun_at_units": one.begun_at_units, "met": one.is_right}


def _tour(one: Returned) -> dict[str, Any]:
    hours = one.without_a_line.total_seconds() / 3600
    return {"agency": one.agency, "hours": hours, "waited": one.waited, "lacking": len(one.lacking), "met": one.is_right}


def _held(one: Overseen) -> dict[str, Any]:
    return {"agency": one.agency, "releases": one.told, "beside_counts": len(one.found), "met": one.is_right}
