"""The desks as they stand now: who is there by the roster, what they said of themselves, how many calls wait at each."""

from collections.abc import Sequence
from datetime import timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, func, select
from sqlmodel import col

from services.police.hotline.domain import Desk, routing_rule
from services.police.hotline.tables import Call, DeskState
from shared.casework.accounts.rosters import holders
from shared.casework.cases.commands import Form
from shared.casework.directory.places import is_open_at
from shared.casework.here import Actor, Here
from shared.contracts.casework import events
from shared.kit.db import Transaction
from shared.kit.errors import Coded, Conflict, NotFound
from shared.programmes.places import Hotline
from shared.programmes.situation import DeskNow

SAID_AGE_MAX = timedelta(hours=12)  # a shift: what a desk said longer ago is not known any more


class SayState(Form):
    """What a desk has now: assets of the profile, a trained officer, the languages of whoever is there."""

    facility: events.FacilityId | None = None
    assets: tuple[events.Code, ...] = ()
    is_trained: bool | None = None
    has_female_staff: bool | None = None
    languages: tuple[str, ...] = ()


def hotline_of(here: Here) -> Hotline:
    """The programme's hotline, where this agency answers it; raises NotFound."""
    hotline = here.programme.hotline
    if not has_hotline(here) or hotline is None:
        raise NotFound("There is no hotline at this agency.")
    return hotline


def has_hotline(here: Here) -> bool:
    """Whether this agency answers a hotline."""
    hotline = here.programme.hotline
    return (
        hotline is not None
        and here.programme.agencies[hotline.agency].kind is here.kind
        and routing_rule(here.programme) is not None
    )


def rooms(here: Here) -> list[str]:
    """Where the hotline is answered."""
    at = hotline_of(here).at
    return [id_ for id_ in here.entry.facilities if here.kind_of_place(id_) in at]


def desk_ids(here: Here) -> list[str]:
    """Where calls go."""
    found = routing_rule(here.programme)
    return [id_ for id_ in here.entry.facilities if found is not None and here.kind_of_place(id_) in found[1].to]


def stations(here: Here) -> list[str]:
    """The stations at which desks are, also those that have none: by the roofs that the network file names for desks. A file that
    names none says nothing of it."""
    places, kinds = here.entry.facilities, here.programme.facilities
    under = {places[id_].at for id_ in desk_ids(here)} - {None}
    roofs = {kinds[str(here.kind_of_place(id_))].colocated_with for id_ in desk_ids(here)} if under else set()
    return [id_ for id_ in places if id_ in under or here.kind_of_place(id_) in roofs - {None}]


async def desks_now(tx: Transaction, here: Here) -> list[Desk]:
    """Every desk of the agency; the caller has let itself look beyond its own."""
    ids = desk_ids(here)
    held = await holders(tx, ids)
    now = tx.clock.now()
    fresh = select(DeskState).where(col(DeskState.said_at) > now - SAID_AGE_MAX)
    said = {row.facility: row for row in (await tx.session.execute(fresh)).scalars()}
    waits = select(col(Call.desk), func.count()).where(*waiting()).group_by(col(Call.desk))
    waiting_at = {desk: int(count) for desk, count in (await tx.session.execute(waits)).tuples()}
    local = now.astimezone(ZoneInfo(here.programme.time_zone))
    found = []
    for id_ in ids:
        place, state = here.facility(id_), said.get(id_)
        seen = DeskNow(
            id_, str(here.kind_of_place(id_)), place.district, is_open_at(place, local), bool(held.get(id_)),
            None if state is None else frozenset(state.assets), _certificates(here, id_, state),
            None if state is None else state.has_female_staff,
        )  # fmt: skip
        languages = frozenset(state.languages) if state is not None and state.languages else None
        km = {start: way.km for start, way in place.journeys.items()}
        found.append(Desk(seen, languages, waiting_at.get(id_, 0), km, place.at))
    return found


def waiting() -> Sequence[ColumnElement[bool]]:
    """In a query for calls: those that a desk has not seen yet."""
    return (col(Call.seen_at).is_(None), col(Call.merged_into).is_(None), col(Call.respond_by).is_not(None))


def _certificates(here: Here, facility: str, state: DeskState | None) -> frozenset[str] | None:
    """What a trained officer holds, as the profile asks it of this kind of desk; not known where nobody said whether one is
    there."""
    if state is None or state.is_trained is None:
        return None
    asked = [one.certificates for one in here.programme.readiness.values() if one.kind == here.kind_of_place(facility)]
    return frozenset(name for names in asked for name in names) if state.is_trained else frozenset()


def asks_for_women(here: Here, facility: str) -> bool:
    """Whether the programme asks for a woman on duty at this kind of desk."""
    return any(one.female_staff for one in here.programme.readiness.values() if one.kind == here.kind_of_place(facility))


def assets_of(here: Here, facility: str) -> tuple[str, ...]:
    """What a desk may have, by the profile."""
    kind = here.kind_of_place(facility)
    return here.programme.facilities[kind].assets if kind in here.programme.facilities else ()


async def state_of(tx: Transaction, facility: str) -> DeskState | None:
    """What a desk last said."""
    return await tx.session.get(DeskState, facility)


def own_desk(here: Here, by: Actor, facility: str | None) -> str:
    """The desk that an account speaks for; raises NotFound, or Conflict where it must say which."""
    hotline_of(here)
    by.may_work()
    mine = [id_ for id_ in desk_ids(here) if by.sees(id_)]
    chosen = facility or (by.facility if by.facility in mine else mine[0] if len(mine) == 1 else None)
    if chosen is None and mine:
        raise Conflict("Say which desk this is about.")
    if chosen not in mine:
        raise NotFound("No calls go to %(place)s, or it is not this account's.", place=Coded(chosen or by.facility or "", "place"))
    return str(chosen)


async def say_state(command: SayState, tx: Transaction, here: Here, by: Actor) -> DeskState:
    """Keeps how a desk stands now, in place of what it said before; raises NotFound or Conflict."""
    facility = own_desk(here, by, command.facility)
    unknown = sorted({*command.assets} - {*assets_of(here, facility)}) + sorted({*command.languages} - {*here.programme.languages})
    if unknown:
        raise Conflict("The programme knows no %(names)s at this desk; use its names.", names=unknown)
    state = await tx.session.get(DeskState, facility, with_for_update=True)
    if state is None:
        state = DeskState(facility=facility, said_at=tx.clock.now(), recorded_by=by.account_id)
        tx.session.add(state)
    state.assets, state.is_trained, state.languages = list(command.assets), command.is_trained, list(command.languages)
    state.has_female_staff = command.has_female_staff
    state.said_at, state.recorded_by = tx.clock.now(), by.account_id
    await tx.session.flush()
    return state
