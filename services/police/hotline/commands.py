"""Taking a call, seeing it, passing it on, opening a case from it, and saying that two are of one person.

No number and no caller's id is kept, whoever asks: there is no field for one. Of a wrong number nothing is kept but that there was
one.
"""

from collections.abc import Sequence
from dataclasses import asdict
from uuid import UUID

from pydantic import TypeAdapter, ValidationError
from sqlalchemy import select
from sqlalchemy.orm.attributes import flag_modified
from sqlmodel import col

from services.police.hotline import views
from services.police.hotline.desks import desks_now, hotline_of, rooms
from services.police.hotline.domain import Caller, Route, Step, What, needs_of, route, seen_within
from services.police.hotline.tables import Call, CallLook
from shared.casework import scope
from shared.casework.acts import ask_first
from shared.casework.alarms.commands import clear, raise_alarm
from shared.casework.cases.commands import Form, OpenCase, happened, load_case, open_case
from shared.casework.cases.tables import Case
from shared.casework.here import Actor, Here
from shared.casework.situations import KNOWN_TYPES
from shared.contracts.casework import events
from shared.contracts.casework.codes import AgeBand, IncidentType, ServicePackage, Sex, Ternary, Urgency
from shared.exchange import feed
from shared.kit.db import Transaction
from shared.kit.errors import Coded, Conflict, NotFound
from shared.kit.ids import new_id
from shared.kit.sealed import is_shut, shut_shown
from shared.programmes.places import Channel
from shared.programmes.situation import Situation
from shared.programmes.terms import Act, Fact

NOT_SEEN, LAST_RESORT, UNROUTED = "call_not_seen", "call_at_last_resort", "call_unrouted"
OF_A_CALL = frozenset({NOT_SEEN, LAST_RESORT, UNROUTED})  # alarms that end when a desk has it


class TakeCall(Form):
    """A call or message, as the hotline's post takes it. There is nothing here by which the caller could be found."""

    channel: Channel
    what: What
    facility: events.FacilityId | None = None
    district: events.Code | None = None
    need: ServicePackage | None = None
    language: str | None = None
    incident_type: IncidentType | None = None
    is_child: bool = False
    needs_vehicle: bool = False
    may_call_back: bool = False  # only where she said so herself
    came_at: events.Moment | None = None


class MergeCall(Form):
    """The call that was there before, of the same person as far as somebody can tell."""

    into: UUID


async def take_call(command: TakeCall, tx: Transaction, here: Here, by: Actor) -> Call:
    """Keeps a call and sends it to exactly one desk; raises Conflict where the profile does not know what was said."""
    by.may_work()
    room = _room(here, by, command.facility)
    _known(here, command)
    now, id_ = tx.clock.now(), new_id()
    call = Call(
        id=id_, what=command.what, channel=command.channel, facility=room, key_name=id_, taken_by=by.account_id,
        came_at=happened("came_at", command.came_at, now),
    )  # fmt: skip
    if command.what is not What.WRONG_NUMBER:
        await tx.keys.given([[id_]])
        needs = needs_of(here.programme, command.need, now, is_child=command.is_child)
        call.district = command.district
        call.said = {
            "need": command.need, "needs": [str(need) for need in needs], "language": command.language,
            "incident_type": command.incident_type,
            "is_child": command.is_child, "needs_vehicle": command.needs_vehicle, "may_call_back": command.may_call_back,
        }  # fmt: skip
    await scope.for_the_agency(tx)  # which desk it goes to is decided over all of them
    tx.session.add(call)
    await tx.session.flush()
    await _tell(tx, here, "call.taken", call, room)
    if _goes_to_a_desk(call):
        await send_on(tx, here, call)
    elif command.what is not What.WRONG_NUMBER:
        _turn(call, Route(room, Step.ANSWERED), tx)
        call.seen_at, call.seen_by = now, by.account_id
    await tx.session.flush()
    return call


def _room(here: Here, by: Actor, facility: str | None) -> str:
    hotline_of(here)
    mine = [room for room in rooms(here) if by.sees(room)]
    chosen = facility or (by.facility if by.facility in mine else next(iter(mine), None))
    if chosen not in mine:
        raise NotFound("Calls are taken at the hotline's own room; this account does not work there.")
    return str(chosen)


def _known(here: Here, command: TakeCall) -> None:
    if command.channel not in hotline_of(here).channels:
        raise Conflict("The hotline is not reached by %(channel)s.", channel=Coded(command.channel, "channel"))
    if command.district is not None and command.district not in here.programme.districts:
        raise Conflict("There is no district “%(district)s” in this programme.", district=command.district)
    if command.language is not None and command.language not in here.programme.languages:
        raise Conflict("“%(language)s” is none of this programme's languages.", language=command.language)
    if command.what is What.REPORT and command.need is None:
        raise Conflict("Say what is needed, as far as she said it: a report, protection or care.")


def _goes_to_a_desk(call: Call) -> bool:
    """A report always; what was cut off where the district is known, because she may come there. The rest the room has answered."""
    return call.what == What.REPORT or (call.what == What.CUT and call.district is not None)


def caller_of(call: Call) -> Caller:
    """What its route goes by."""
    said = call.said or {}
    need = ServicePackage(said["need"]) if said.get("need") else None
    known = said.get("incident_type")
    incident = IncidentType(known) if known in KNOWN_TYPES else None
    return Caller(call.district, need, said.get("language"), bool(said.get("needs_vehicle")), incident)


async def send_on(tx: Transaction, here: Here, call: Call) -> None:
    """To the next desk of the chain. Where the chain has ended it stays where it is, and its alarm stands."""
    before = bool(call.turns)
    tried = [turn["desk"] for turn in call.turns]
    found = route(here.programme, caller_of(call), await desks_now(tx, here), call.facility, tx.clock.now(), tried)
    call.respond_by = tx.clock.now() + seen_within(here.programme)
    if before:
        await _alarm(tx, here, NOT_SEEN, call)
    if call.step == Step.LAST_RESORT or (found.desk is None and before):
        return
    if found.desk is None:  # the watcher tries again: somebody may come on duty
        await _alarm(tx, here, UNROUTED, call)
        return
    _turn(call, found, tx)
    await clear(tx, here, call.id, {UNROUTED})
    if found.step is Step.LAST_RESORT:
        await _alarm(tx, here, LAST_RESORT, call)
    await _tell(tx, here, "call.routed", call, found.desk)


async def _alarm(tx: Transaction, here: Here, kind: str, call: Call) -> None:
    """To the supervisor's post of the room that took it: whoever can telephone."""
    detail = {"call": str(call.id), **({"desk": call.desk} if call.desk else {})}
    await raise_alarm(tx, here, kind, call.id, call.facility, Urgency.ACUTE, None, detail, to_supervisor=True)


def _turn(call: Call, found: Route, tx: Transaction) -> None:
    now = tx.clock.now()
    call.desk, call.step, call.routed_at = found.desk, found.step, now
    call.lacks = [asdict(lack) for lack in found.lacks]
    call.turns = [*call.turns, {"desk": str(found.desk), "step": str(found.step), "at": now.isoformat()}]


async def _tell(tx: Transaction, here: Here, kind: str, call: Call, facility: str) -> None:
    line = feed.Line(
        kind=kind, subject=call.id, agency=here.agency, is_own=True, occurred_at=tx.clock.now(), case_id=call.case_id,
        facility=facility,
    )  # fmt: skip
    await feed.record(tx, line)


async def load_call(tx: Transaction, call_id: UUID, by: Actor, *, lock: bool = False) -> Call:
    """A call that the account may see; raises OutOfSight."""
    query = select(Call).where(col(Call.id) == call_id, views.seen_by(by))
    if lock:
        query = query.with_for_update().execution_options(populate_existing=True)
    call = (await tx.session.execute(query)).scalar_one_or_none()
    if call is None:
        raise scope.OutOfSight("There is no such call.", call_id)
    return call


async def see_call(call_id: UUID, tx: Transaction, here: Here, by: Actor) -> Call:
    """The desk has it: the chain stops, and alarms about it end. Raises Conflict where it lies at another desk."""
    call = await load_call(tx, call_id, by, lock=True)
    await _see(tx, here, call, by)
    return call


async def _see(tx: Transaction, here: Here, call: Call, by: Actor) -> None:
    if not by.sees(call.desk) or call.desk is None:
        raise Conflict("This call is at another desk; only that desk says that it has seen it.")
    if call.seen_at is None:
        call.seen_at, call.seen_by = tx.clock.now(), by.account_id
        await tx.session.flush()
        await _tell(tx, here, "call.seen", call, call.facility)
        async with scope.whole_agency(tx):  # the alarm is the room's
            await clear(tx, here, call.id, set(OF_A_CALL))


async def open_from_call(call_id: UUID, tx: Transaction, here: Here, by: Actor) -> Case:
    """Opens a case at the desk from what she told, in one act; the same case where there is one. Who looked at the call before is
    told to her like who looked at the case."""
    call = await load_call(tx, call_id, by, lock=True)
    if call.merged_into is not None:
        raise Conflict("This call was merged into another; open the case from that one.")
    if call.what == What.WRONG_NUMBER or call.desk is None:
        raise Conflict("There is nothing in this call to open a case from.")
    if call.case_id is not None:
        return await load_case(tx, call.case_id, by)
    if not by.sees(call.desk):
        raise Conflict("This call is at another desk; the case is opened there.")
    case = await open_case(_as_case(here, call), tx, here, by)
    await _goes_to_case(tx, call, case.id)
    await _see(tx, here, call, by)
    return case


async def _goes_to_case(tx: Transaction, call: Call, case_id: UUID) -> None:
    """A call, and whatever was merged into it, at whichever desk that lies: sealed anew under the case's own key, and whoever
    looked at any of them stands in the case's log."""
    async with scope.whole_agency(tx):
        found = [call]
        while found:
            one = found.pop()
            if not is_shut(one):  # else its key is lost, and may be brought back: it stays under that one
                one.case_id, one.key_name = case_id, case_id
                flag_modified(one, "said")
                await tx.session.flush()
                await views.hand_over_looks(tx, one.id, case_id)
            with shut_shown():
                found += (await tx.session.execute(select(Call).where(col(Call.merged_into) == one.id).with_for_update())).scalars()


def _as_case(here: Here, call: Call) -> OpenCase:
    said = call.said or {}
    needs = events.PersonNeeds(age_band=AgeBand.UNKNOWN, sex=Sex.UNKNOWN, language=_spoken(said.get("language"), here))
    child = events.ChildFacts(assent=Ternary.UNKNOWN, safe_adult_present=Ternary.UNKNOWN) if said.get("is_child") else None
    return OpenCase(facility=call.desk, needs=needs, child=child)


def _spoken(language: str | None, here: Here) -> str:
    """Her language as the published language writes it: without a script, which its version 1 does not know."""
    chosen = language or here.programme.languages[0]
    try:
        return str(TypeAdapter(events.LanguageTag).validate_python(chosen))
    except ValidationError:
        return chosen.split("-")[0]


async def merge_call(call_id: UUID, command: MergeCall, tx: Transaction, here: Here, by: Actor) -> Call:
    """Somebody says that a call is of the person of an earlier one; nothing does so by itself. Both stay counted as calls."""
    call = await load_call(tx, call_id, by, lock=True)
    into = await load_call(tx, command.into, by, lock=True)
    if call.id == into.id or into.merged_into is not None or call.merged_into is not None:
        raise Conflict("One of the two calls is merged already; open the one that is left.")
    if call.case_id is not None or What.WRONG_NUMBER in (call.what, into.what):
        raise Conflict("A call with a case of its own, or a wrong number, is not merged into another.")
    call.merged_into, call.merged_by = into.id, by.account_id
    await tx.session.flush()
    if into.case_id is not None:
        await _goes_to_case(tx, call, into.case_id)
    await _tell(tx, here, "call.merged", call, call.facility)
    async with scope.whole_agency(tx):
        await clear(tx, here, call.id, set(OF_A_CALL))
    return call


async def call_back(call_id: UUID, tx: Transaction, here: Here, by: Actor) -> Call:
    """Keeps that she was called back, from the telephone that still has her number; raises Conflict unless she called it safe,
    whatever the programme says, and where a rule asks for more."""
    call = await load_call(tx, call_id, by, lock=True)
    if not (call.said or {}).get("may_call_back"):
        raise Conflict("Do not call back: she has not said that it is safe.")
    situation = Situation(
        Act.CALL_BACK, tx.clock.now(), facts=frozenset({Fact.MARKED_SAFE}), facility_kind=here.kind_of_place(call.facility)
    )
    await ask_first(tx, here, by.account_id, situation, call.facility, call.id, call.case_id)
    call.called_back_at = tx.clock.now()
    await tx.session.flush()
    return call


async def looks_of(tx: Transaction, call_id: UUID) -> Sequence[CallLook]:
    """Who looked at a call, oldest first."""
    query = select(CallLook).where(col(CallLook.call_id) == call_id).order_by(col(CallLook.read_at), col(CallLook.id))
    return (await tx.session.execute(query)).scalars().all()
