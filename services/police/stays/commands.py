"""Acts on a stay: coming, what happens meanwhile, and where to afterwards. None of them ends because time has passed, and none
touches a referral or a consent: where she goes is asked of her, and sent like any other request.
"""

from datetime import datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from pydantic import Field, model_validator
from sqlalchemy import select
from sqlmodel import col

from services.police.stays import domain
from services.police.stays.domain import ALLOWED, NEEDED, PLANS, Kind, Standing, Way, WhyLonger
from services.police.stays.tables import Stay, StayFact, StayRefusal
from shared.casework import scope
from shared.casework.acts import ask_first
from shared.casework.alarms.commands import clear
from shared.casework.cases.commands import Form, happened, load_case
from shared.casework.cases.tables import Case
from shared.casework.here import Actor, Forbidden, Here
from shared.casework.referrals.pathways import on_before
from shared.casework.referrals.tables import Referral
from shared.casework.scope import OutOfSight
from shared.casework.situations import situation_of
from shared.contracts.casework import events
from shared.contracts.casework.codes import AgeBand, ReferralState, Ternary
from shared.exchange import outbox
from shared.kit.db import Transaction
from shared.kit.errors import Coded, Conflict, NotFound
from shared.kit.i18n import mark as _
from shared.kit.ids import new_id
from shared.kit.sealed import shut_shown
from shared.programmes.rules import answers, is_refused
from shared.programmes.situation import Situation
from shared.programmes.terms import Act, Fact
from shared.programmes.vocabulary import StayLimit

BROKEN = frozenset({ReferralState.DECLINED, ReferralState.CANCELLED})  # what a plan does not outlive
HAS_TAKEN_HER = frozenset({ReferralState.ACCEPTED, ReferralState.ARRIVED, ReferralState.IN_SERVICE, ReferralState.ON_HOLD})
NO_REGISTER = _("This programme keeps no stay register.")
FULL = _(
    "No place is free at %(place)s: %(taken)s of %(places)s are taken. Somebody decides: another place, or a bed all the same."
)


class Admit(Form):
    """Somebody stays, with whoever came along. `although_full`: a person has decided that she stays all the same."""

    post: events.Code
    with_her: tuple[AgeBand, ...] = Field(default=(), max_length=events.DEPENDANTS_MAX)
    although_full: bool = False
    occurred_at: events.Moment | None = None


class RefuseForLackOfPlace(Form):
    """Somebody came and could not stay."""

    with_her: tuple[AgeBand, ...] = Field(default=(), max_length=events.DEPENDANTS_MAX)
    occurred_at: events.Moment | None = None


class AddFact(Form):
    """What happens in a stay. Which fields go with which fact say `NEEDED` and `ALLOWED`."""

    kind: Kind
    way: Way | None = None
    referral_id: UUID | None = None
    she_agrees: Ternary | None = None
    risk_checked: Ternary | None = None
    reason: WhyLonger | None = None
    until: events.Day | None = None
    occurred_at: events.Moment | None = None

    @model_validator(mode="after")
    def _says_what_goes_with_it(self) -> "AddFact":
        given = {
            name
            for name in ("way", "referral_id", "she_agrees", "risk_checked", "reason", "until")
            if getattr(self, name) is not None
        }
        if missing := sorted(NEEDED[self.kind] - given):
            raise ValueError(f"'{self.kind}' needs {', '.join(missing)}")
        if foreign := sorted(given - ALLOWED[self.kind]):
            raise ValueError(f"'{self.kind}' has no {', '.join(foreign)}")
        if self.kind is Kind.PLANNED and self.way not in PLANS:
            raise ValueError(f"'way' of a plan is one of {', '.join(PLANS)}")
        return self


def has_stays(here: Here) -> bool:
    """Whether the programme has them."""
    return domain.limit_of(here.programme) is not None


def rule_of(here: Here) -> tuple[str, StayLimit]:
    """The programme's rule of a stay; raises NotFound."""
    found = domain.limit_of(here.programme)
    if found is None:
        raise NotFound(NO_REGISTER)
    return found


def zone_of(here: Here) -> ZoneInfo:
    """The clock on the walls of a centre."""
    return ZoneInfo(here.programme.time_zone)


def beds(here: Here, facility: str) -> int | None:
    """How many may stay at a place, by the network file, else by what the programme says of its kind; None where nobody may."""
    place = here.entry.facilities.get(facility)
    kind = here.programme.facilities.get(here.kind_of_place(facility) or "")
    return place.places if place is not None and place.places is not None else kind.places if kind is not None else None


async def admit(case_id: UUID, command: Admit, tx: Transaction, here: Here, by: Actor) -> Stay:
    """Somebody stays; raises Conflict where she does already, where nobody may stay, or where the place is full and nobody has
    decided that she stays all the same."""
    case, facility, places = await _at_a_centre(case_id, tx, here, by)
    if command.post not in here.posts(facility):
        raise Conflict("This place has no such post; choose one of its own.")
    if any(one.left_at is None for one in await stays_of(tx, case.id)):
        raise Conflict("A stay of this case stands here already; end that one first.")
    taken = await persons_at(tx, facility)
    if taken + 1 + len(command.with_her) > places and not command.although_full:
        raise Conflict(FULL, place=Coded(facility, "place"), taken=taken, places=places)
    now = tx.clock.now()
    situation = situation_of(here, Act.ADMIT_TO_STAY, now, facility, case)
    await ask_first(tx, here, by.account_id, situation, facility, case.id, case.id)
    stay = Stay(
        id=new_id(), case_id=case.id, facility=facility, post=command.post, with_her=sorted(map(str, command.with_her)),
        came_at=happened("occurred_at", command.occurred_at, now), recorded_at=now, recorded_by=by.account_id,
    )  # fmt: skip
    tx.session.add(stay)
    await tx.session.flush()
    return stay


async def refuse_for_lack_of_place(
    case_id: UUID, command: RefuseForLackOfPlace, tx: Transaction, here: Here, by: Actor
) -> StayRefusal:
    """Keeps that somebody could not stay; what is proposed instead is the directory's (`views.instead_of`)."""
    case, facility, _places = await _at_a_centre(case_id, tx, here, by)
    now = tx.clock.now()
    row = StayRefusal(
        id=new_id(), case_id=case.id, facility=facility, with_her=sorted(map(str, command.with_her)),
        occurred_at=happened("occurred_at", command.occurred_at, now), recorded_at=now, recorded_by=by.account_id,
    )  # fmt: skip
    tx.session.add(row)
    await tx.session.flush()
    return row


async def _at_a_centre(case_id: UUID, tx: Transaction, here: Here, by: Actor) -> tuple[Case, str, int]:
    by.may_work()
    case = await _locked(tx, case_id, by)
    rule_of(here)
    facility = by.facility or case.facility
    places = beds(here, facility)
    if places is None:
        raise Conflict("Nobody stays overnight at %(place)s; propose a centre.", place=Coded(facility, "place"))
    await tx.in_turn(f"stays:{facility}")  # two desks do not give one bed away
    return case, facility, places


async def _locked(tx: Transaction, case_id: UUID, by: Actor) -> Case:
    """The case, with its circle's turn taken, so that two desks do not write the same stay at once."""
    circle = (await load_case(tx, case_id, by)).circle
    await outbox.lock_subjects(tx, [circle])
    return await load_case(tx, case_id, by, lock=True)


async def add_fact(stay_id: UUID, command: AddFact, tx: Transaction, here: Here, by: Actor) -> Stay:
    """Something happens in a stay, now or late; raises Conflict or Forbidden where it may not be written so."""
    by.may_work()
    stay = await load_stay(tx, stay_id, by)
    await _locked(tx, stay.case_id, by)
    stay = await load_stay(tx, stay_id, by, lock=True)
    scope.not_as_guest(by, stay.facility, stay.case_id)
    _id, rule = rule_of(here)
    now = tx.clock.now()
    at = happened("occurred_at", command.occurred_at, now)
    if at < stay.came_at:
        raise Conflict("This lies before the stay began; look at the time.")
    if stay.left_at is not None and command.kind is Kind.LEFT:
        raise Conflict("This stay has ended already.")
    if command.kind is Kind.EXTENDED:
        _may_extend(command, rule, at, now, here, by)
        kind = here.kind_of_place(stay.facility)
        agreed = Situation(Act.CONTINUE_STAY, now, facts=frozenset({Fact.SUPERVISOR_AGREES}), facility_kind=kind)
        await ask_first(tx, here, by.account_id, agreed, stay.facility, stay.id, stay.case_id)
    if command.way is Way.FAMILY:  # a plan too: it would stand as one, and nobody would ask for another
        _checked_family(command, at, here)
    if command.way is Way.AGENCY:
        await _has_accepted(command, stay, tx)
    said = command.model_dump(mode="json", include=set(ALLOWED[command.kind]), exclude_none=True)
    fact = StayFact(
        id=new_id(), stay_id=stay.id, case_id=stay.case_id, kind=command.kind, said=said or None, occurred_at=at, recorded_at=now,
        recorded_by=by.account_id,
    )  # fmt: skip
    tx.session.add(fact)
    if command.kind is Kind.LEFT:
        stay.left_at = at
    await tx.session.flush()
    stands = (await standings_of(tx, here, [stay]))[stay.id]
    await clear(tx, here, stay.id, {domain.NEEDS_PLAN, domain.OVER_LIMIT} - {stands.alarm or ""})
    return stay


def _may_extend(command: AddFact, rule: StayLimit, at: datetime, now: datetime, here: Here, by: Actor) -> None:
    if by.role is not rule.extended_by:
        raise Forbidden("This account may not extend a stay; ask %(role)s.", role=rule.extended_by)
    assert command.until is not None
    end = domain.end_of(command.until, zone_of(here))
    if end <= at or end > now + domain.EXTENSION_MAX:
        raise Conflict("Choose a day that is still to come, and not further away than two months.")


def _checked_family(command: AddFact, at: datetime, here: Here) -> None:
    """Back to the family only as the programme's rule has it: with her own yes, and after the risks were looked at."""
    shown = {Fact.SHE_AGREES: command.she_agrees, Fact.RISK_CHECKED: command.risk_checked}
    situation = Situation(
        Act.RETURN_TO_FAMILY, at, facts=frozenset(fact for fact, said in shown.items() if said is Ternary.YES),
        not_so=frozenset(fact for fact, said in shown.items() if said is Ternary.NO),
    )  # fmt: skip
    if is_refused(answers(here.programme, situation)):
        raise Conflict(
            "Back to the family only with the person’s own yes, asked alone, and after the risks were looked at."
            " Nothing was written down."
        )


async def _has_accepted(command: AddFact, stay: Stay, tx: Transaction) -> None:
    """A place with another agency is agreed once that agency has accepted its request."""
    if command.referral_id is None:
        if command.kind is Kind.PLANNED:
            raise Conflict("Choose the request that was accepted; send one first where there is none.")
        return
    referral = await tx.session.get(Referral, command.referral_id)
    if referral is None or referral.case_id != stay.case_id or referral.direction != "out":
        raise OutOfSight("There is no such referral.", command.referral_id)
    if command.kind is Kind.PLANNED and referral.state not in HAS_TAKEN_HER:
        raise Conflict("They have not accepted this request. A plan stands once they have.")


async def load_stay(tx: Transaction, stay_id: UUID, by: Actor, *, lock: bool = False) -> Stay:
    """A stay of a case that the account may see; raises OutOfSight."""
    query = select(Stay).where(col(Stay.id) == stay_id, scope.sees_case(by, col(Stay.case_id)))
    if lock:
        query = query.with_for_update().execution_options(populate_existing=True)
    stay = (await tx.session.execute(query)).scalar_one_or_none()
    if stay is None:
        raise OutOfSight("There is no such stay.", stay_id)
    return stay


async def stays_of(tx: Transaction, case_id: UUID) -> list[Stay]:
    """The stays of a case, oldest first."""
    query = select(Stay).where(col(Stay.case_id) == case_id).order_by(col(Stay.came_at), col(Stay.id))
    return list((await tx.session.execute(query)).scalars())


async def persons_at(tx: Transaction, facility: str) -> int:
    """How many stay at a place now: whoever came along counts like anybody else. Those in hospital keep their bed."""
    async with scope.whole_agency(tx):  # beds are counted whosever case it is
        with shut_shown():
            query = select(col(Stay.with_her)).where(col(Stay.facility) == facility, col(Stay.left_at).is_(None))
            found = (await tx.session.execute(query)).scalars().all()
    return sum(1 + len(one or ()) for one in found)


async def standings_of(tx: Transaction, here: Here, stays: list[Stay]) -> dict[UUID, Standing]:
    """Where stays stand, by their ids. What another agency accepted and then could not do breaks the plan by itself."""
    rule, zone, now = rule_of(here), zone_of(here), tx.clock.now()
    ids = [one.id for one in stays]
    found: dict[UUID, list[domain.Happened]] = {id_: [] for id_ in ids}
    with shut_shown():
        query = select(StayFact).where(col(StayFact.stay_id).in_(ids))
        for row in (await tx.session.execute(query)).scalars() if ids else ():
            said = row.said if isinstance(row.said, dict) else None
            found[row.stay_id].append(domain.happened(row.kind, row.occurred_at, said, zone))
    asked = {UUID(one.referral_id) for facts in found.values() for one in facts if one.referral_id}
    broken = select(col(Referral.id), col(Referral.ended_at)).where(col(Referral.id).in_(asked), col(Referral.state).in_(BROKEN))
    for referral_id, ended_at in (await tx.session.execute(broken)).tuples() if asked else ():
        for facts in found.values():
            if any(one.referral_id == str(referral_id) for one in facts):
                facts.append(domain.Happened(Kind.PLAN_DROPPED, ended_at or now, referral_id=str(referral_id)))
    return {one.id: domain.standing(here.programme, rule, one.came_at, found[one.id], now) for one in stays}


async def _ends_at(tx: Transaction, here: Here, case_id: UUID) -> datetime | None:
    """When the stay of a case is to be over; None where nobody stays."""
    open_now = [stay for stay in await stays_of(tx, case_id) if stay.left_at is None] if has_stays(here) else []
    stands = await standings_of(tx, here, open_now)
    return min((one.until_at for one in stands.values()), default=None)


on_before(_ends_at)
