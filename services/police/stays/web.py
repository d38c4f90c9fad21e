"""Routes: who stays at a centre, what happens in a stay, and that no place was free."""

from datetime import date, datetime
from typing import ClassVar
from uuid import UUID

from fastapi import APIRouter, Request, Response

from services.police.stays import commands, views
from services.police.stays.commands import AddFact, Admit, RefuseForLackOfPlace
from services.police.stays.domain import Way
from services.police.stays.tables import Stay
from shared.casework.cases.commands import load_case
from shared.casework.cases.views import OfACase, note_read
from shared.casework.edge import Edge, IdempotencyKey, OneEdge, Page, SignedIn, command
from shared.casework.here import Actor, Here
from shared.kit.bodies import Body
from shared.kit.db import Transaction

router = APIRouter(prefix="/api/v1", tags=["stays"])


class FactView(Body):
    """What happened in a stay."""

    kind: str
    occurred_at: datetime
    way: str | None = None
    referral_id: UUID | None = None
    reason: str | None = None
    until: date | None = None


class StayView(OfACase):
    """A stay. `message` is the programme's rule's; `is_assumption`: it rests on something that no published source says, as that
    nights in hospital do not count."""

    look: ClassVar[str] = "stay"

    id: UUID
    case_id: UUID
    facility: str
    post: str
    came_at: datetime
    left_at: datetime | None
    persons: int
    with_her: list[str]
    days: int
    nights_in_hospital: int
    in_hospital: bool
    plan: Way | None
    plan_due_at: datetime
    limit_at: datetime
    until_at: datetime
    message: str
    is_assumption: bool
    was_over_without_plan: bool
    gaps: list[str]
    facts: list[FactView]


class CentreView(Body):
    """A place with beds. `taken` counts everybody who stays, also those whom this account does not see."""

    facility: str
    places: int
    taken: int
    stays: list[StayView]


class ElsewhereView(Body):
    """A place that may be asked instead."""

    agency: str
    facility: str


class RefusedView(OfACase):
    """That no place was free, and where else she may be asked for."""

    look: ClassVar[str] = "stay"

    id: UUID
    case_id: UUID
    facility: str
    occurred_at: datetime
    proposed: list[ElsewhereView]


def _stay(shown: views.Shown) -> StayView:
    stay, stands = shown.stay, shown.standing
    facts = [
        FactView.model_validate(
            {
                "kind": one.kind,
                "occurred_at": one.occurred_at,
                **{k: v for k, v in (one.said or {}).items() if k in FactView.model_fields},
            }
        )
        for one in shown.facts
    ]
    return StayView(
        id=stay.id, case_id=stay.case_id, facility=stay.facility, post=stay.post, came_at=stay.came_at, left_at=stay.left_at,
        persons=shown.persons, with_her=list(stay.with_her or []), days=stands.days, nights_in_hospital=stands.nights_in_hospital,
        in_hospital=stands.in_hospital, plan=stands.plan.way if stands.plan else None, plan_due_at=stands.plan_due_at,
        limit_at=stands.limit_at, until_at=stands.until_at, message=stands.answer.message,
        is_assumption=stands.answer.is_assumption, was_over_without_plan=stands.was_over_without_plan, gaps=sorted(stands.gaps),
        facts=facts,
    )  # fmt: skip


async def _one(tx: Transaction, here: Here, by: Actor, stay: Stay) -> StayView:
    case = await load_case(tx, stay.case_id, by)
    return _stay(next(one for one in await views.of_case(tx, here, case) if one.stay.id == stay.id))


@router.post("/cases/{case_id}/stays", status_code=201, response_model=StayView)
async def post_stay(
    case_id: UUID, body: Admit, request: Request, edge: OneEdge, by: SignedIn, key: IdempotencyKey = None
) -> Response:
    """Somebody stays, with whoever came along."""

    async def work(tx: Transaction) -> StayView:
        return await _one(tx, edge.here, by, await commands.admit(case_id, body, tx, edge.here, by))

    return await command(request, edge, by, work, status=201, key=key)


@router.get("/cases/{case_id}/stays")
async def get_stays(case_id: UUID, edge: OneEdge, by: SignedIn) -> Page:
    """The stays of a case, the newest first."""
    by.may_work()
    async with edge.database.write() as tx:
        case = await load_case(tx, case_id, by)
        commands.rule_of(edge.here)
        await note_read(tx, case.id, by, "stay")
        return Page(items=[_stay(one) for one in await views.of_case(tx, edge.here, case)])


@router.post("/cases/{case_id}/stay-refusals", status_code=201, response_model=RefusedView)
async def post_refusal(
    case_id: UUID, body: RefuseForLackOfPlace, request: Request, edge: OneEdge, by: SignedIn, key: IdempotencyKey = None
) -> Response:
    """No place was free: it is kept, and other places are proposed. Nothing is sent anywhere by itself."""

    async def work(tx: Transaction) -> RefusedView:
        row = await commands.refuse_for_lack_of_place(case_id, body, tx, edge.here, by)
        found = await views.instead_of(tx, edge.here, row.facility, _local(edge, tx))
        proposed = [ElsewhereView(agency=one.agency, facility=one.id) for one in found]
        return RefusedView(id=row.id, case_id=row.case_id, facility=row.facility, occurred_at=row.occurred_at, proposed=proposed)

    return await command(request, edge, by, work, status=201, key=key)


def _local(edge: Edge, tx: Transaction) -> datetime:
    now = tx.clock.now()
    return edge.pages.times("en", now).local(now)


@router.post("/stays/{stay_id}/facts", status_code=201, response_model=StayView)
async def post_fact(
    stay_id: UUID, body: AddFact, request: Request, edge: OneEdge, by: SignedIn, key: IdempotencyKey = None
) -> Response:
    """Something happens in a stay: a plan, a way to hospital and back, a supervisor's extension, the way out."""

    async def work(tx: Transaction) -> StayView:
        return await _one(tx, edge.here, by, await commands.add_fact(stay_id, body, tx, edge.here, by))

    return await command(request, edge, by, work, status=201, key=key)


@router.get("/stays")
async def get_centres(edge: OneEdge, by: SignedIn) -> Page:
    """The account's centres, with who stays there."""
    by.may_work()
    commands.rule_of(edge.here)
    async with edge.database.write() as tx:  # that a list told of them is kept
        return Page(
            items=[
                CentreView(facility=one.facility, places=one.places, taken=one.taken, stays=[_stay(shown) for shown in one.stays])
                for one in await views.centres(tx, edge.here, by)
            ]
        )
