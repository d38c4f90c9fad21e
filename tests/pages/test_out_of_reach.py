"""Whatever belongs to another facility is not there: the same 404 on every route, page or API, as for what never was."""

import re
from typing import Any
from uuid import UUID, uuid4

import pytest
from agencies import World, consent, open_case, refer
from fastapi.routing import APIRoute
from signing_in import settled_account, sign_in
from sqlalchemy import select
from visitor import OWN_PAGE, Visitor

from shared.casework.accounts.commands import add_account, make_token
from shared.casework.accounts.tables import Account, Duty, HandOver
from shared.casework.alarms.tables import Alarm
from shared.casework.exports.tables import Export
from shared.casework.messages.tables import Message
from shared.casework.paper.tables import Sheet
from shared.contracts.casework.codes import Role
from shared.kit.ids import new_id

HERE, ELSEWHERE = "ndola_clinic", "ndola_hospital"
NOT_ABOUT_SOMETHING = {"period_name", "sender", "act", "transition", "what"}  # parameters that name no object
BODIES: dict[str, Any] = {
    "incidents": {"incident_type": "rape"},
    "consents": {"recipient": "social_welfare", "purpose": "support", "items": ["req"], "how": "spoken", "language": "bem"},
    "progress": {"code": "next_clinic_date", "on_date": "2026-01-20"},
    "resolve": {"note": "synthetic"},
    "messages": {"code": "bring_card"},
    "answer": {"answer": "passed_on"},
    "care": {"care": "pep", "result": "given"},
    "match": {"referral_id": str(uuid4())},
}


async def the_clinics_things(world: World) -> dict[str, str]:
    """One of everything at the clinic that a route can name."""
    desk, clinic = await world["police"].sign_in("desk"), world["health"]
    nurse = await clinic.sign_in("nurse-0", facility=HERE)
    case_id, incident_id = await open_case(desk)
    agreed = await consent(desk, case_id, "health", "fb", "needs", "relay")
    issued = await refer(desk, case_id, incident_id, "health")
    await world.settle()
    walk_in = await nurse.post("/arrivals", {"facility": HERE})
    own_case = walk_in["case_id"]
    own_consent = await consent(nurse, own_case, "social_welfare")
    await nurse.post(f"/referrals/{issued['id']}/decline", {"reason_code": "no_place"})
    subscription = await nurse.post("/subscriptions", {"case_id": own_case})
    received = await nurse.get(f"/referrals/{issued['id']}")
    assert agreed
    async with clinic.database.write() as tx:
        account = (await tx.session.execute(select(Account).where(Account.name == "nurse-0"))).scalar_one()  # type: ignore[arg-type]
        alarm = (await tx.session.execute(select(Alarm))).scalars().first()
        now = tx.clock.now()
        sheet = Sheet(number="V-00001-X", facility=HERE, kind="visit", batch=new_id(), printed_at=now, printed_by=account.id)
        duty = Duty(id=new_id(), facility=HERE, post="duty_nurse", account_id=account.id, from_at=now,
                    until_at=now.replace(hour=now.hour + 1), entered_by=account.id)  # fmt: skip
        shift = HandOver(id=new_id(), facility=HERE, given_by=account.id, open_items={}, written_at=now)
        message = Message(id=new_id(), referral_id=UUID(received["id"]), case_id=UUID(received["case_id"]), direction="in",
                          code="bring_card", asked_at=now)  # fmt: skip
        export = Export(id=new_id(), account_id=account.id, what="looks", case_id=UUID(own_case), purpose="she_asked",
                        because="synthetic", recipient_key="age1", digest="", made_at=now)  # fmt: skip
        tx.session.add_all([sheet, duty, shift, message, export])
        assert alarm is not None
        return {
            "case_id": own_case, "referral_id": received["id"], "arrival_id": walk_in["arrival_id"],
            "consent_id": own_consent["id"], "account_id": str(account.id), "alarm_id": str(alarm.id), "batch": str(sheet.batch),
            "duty_id": str(duty.id), "hand_over_id": str(shift.id), "message_id": str(message.id),
            "subscription_id": subscription["id"], "export_id": str(export.id),
            "event_id": str(new_id()),
        }  # fmt: skip


def routes_about_something(app: Any) -> list[tuple[str, str]]:
    routers = [app.router, *(one.original_router for one in app.routes if hasattr(one, "original_router"))]
    found = set()
    for route in (route for router in routers for route in router.routes):
        names = set(re.findall(r"{(\w+)}", getattr(route, "path", ""))) - NOT_ABOUT_SOMETHING
        if isinstance(route, APIRoute) and names:
            found |= {(method, route.path) for method in route.methods or ()}
    return sorted(found)


def filled(path: str, ids: dict[str, str]) -> str:
    named = {"act": "decline", "transition": "accept", "what": "retry", "sender": "police", **ids}
    return re.sub(r"{(\w+)}", lambda m: named[m[1]], path)


@pytest.mark.parametrize("role", [Role.CLINICIAN, Role.SUPERVISOR])
async def test_another_facilitys_objects_are_404_on_every_route(world: World, role: Role) -> None:
    ids = await the_clinics_things(world)
    clinic = world["health"]
    issued = await settled_account(clinic, "elsewhere", role)
    async with clinic.database.write() as tx:
        account = (await tx.session.execute(select(Account).where(Account.name == "elsewhere"))).scalar_one()  # type: ignore[arg-type]
        account.facility = ELSEWHERE
        await add_account(tx, clinic.here, "program", role, ELSEWHERE)
        token = await make_token(tx, "program")
    visitor = Visitor(clinic.app)
    await sign_in(visitor, issued, "elsewhere")
    csrf = (await visitor.open("/me")).form("/sign-out").fields["csrf"][0]
    tried, wrong = 0, []
    for method, path in routes_about_something(clinic.app):
        for given in (ids, {name: str(uuid4()) for name in ids}):
            address = filled(path, given)
            if path.startswith("/api/"):
                headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": str(uuid4()), "If-Match": '"1"'}
                body: Any = next((b for part, b in BODIES.items() if path.endswith(part)), {}) if method == "POST" else None
                answer = await clinic.client.request(method, address, json=body, headers=headers)
            else:
                data = {"csrf": csrf, "answer": "passed_on", "code": "bring_card", "referral_id": str(uuid4())}
                answer = await visitor.client.request(
                    method, address, data=data if method == "POST" else None, headers=OWN_PAGE, follow_redirects=False
                )
            tried += 1
            is_forbidden = role is Role.CLINICIAN and answer.status_code == 403  # the role alone, before any object is looked at
            if answer.status_code != 404 and not is_forbidden:
                wrong.append((method, path, answer.status_code, answer.text[:400]))
    assert not wrong
    assert tried > 60
