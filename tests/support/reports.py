"""A medical report between a police desk and a clinic, for tests: a form with a limit and a signer, a request, and its way."""

from dataclasses import replace
from typing import Any

from agencies import Desk, TestAgency, World, consent, open_case, refer

from shared.contracts.casework.codes import Role

STATION, CLINIC = "ndola_central_vsu", "ndola_clinic"
FORM = {"form": "zp_form_32", "form_version": 2}
OLD = {"form": "zp_form_32", "form_version": 1}
EXAMINED = {"step": "examined", "post": "duty_nurse", "name": "Canary Examiner"}
SIGNED = {"step": "signed", "post": "duty_nurse", "name": "Canary Signer"}
READY = {"step": "ready", "post": "duty_nurse"}
TO_DESK = {
    "step": "collected", "post": "duty_nurse", "name": "Canary Hander", "holder": "desk", "ground": "consent", "how": "thumb",
    "language": "bem", "other_post": "duty_officer", "other_name": "Canary Taker",
}  # fmt: skip
TAKEN = {"step": "collected", "post": "duty_officer", "name": "Canary Fetcher"}


def with_limits(world: World, days: int | None = 10, **more: Any) -> World:
    """The world's programme with a form in its second version, free, signed within two days, and a limit of detention."""
    for name, agency in world.agencies.items():
        programme = agency.here.programme
        form = programme.report_forms["zp_form_32"].model_copy(
            update={"version": 2, "detention_limit_days": days, "sign_within_h": 48.0, "fee": 0.0, **more}
        )
        here = replace(agency.here, programme=programme.model_copy(update={"report_forms": {"zp_form_32": form}}))
        world.agencies[name] = TestAgency(here, agency.parts, agency.database)
    return world


async def officer(world: World, name: str = "desk", role: Role = Role.OFFICER) -> Desk:
    """Somebody at the station."""
    return await world["police"].sign_in(name, role, STATION)


async def nurse(world: World, name: str = "nurse", role: Role = Role.CLINICIAN) -> Desk:
    """Somebody at the clinic."""
    return await world["health"].sign_in(name, role, CLINIC)


async def asked(
    world: World, desk: Desk, *items: str, form: dict[str, Any] | None = None, **more: Any
) -> tuple[str, str]:  # fmt: skip
    """Somebody is sent with a form, and the clinic has heard it: (case, referral)."""
    case_id, incident_id = await open_case(desk)
    await consent(desk, case_id, "health", "needs", *items)
    referral = await refer(desk, case_id, incident_id, "health", report_form=form or FORM, **more)
    await world.settle()
    return case_id, referral["id"]


async def report_at(desk: Desk, referral_id: str) -> Any:
    """The report of a referral, as an end has it."""
    return await desk.post(f"/referrals/{referral_id}/report")


async def step(desk: Desk, referral_id: str, body: dict[str, Any], **more: Any) -> Any:
    """Records a step of a referral's report."""
    report = await report_at(desk, referral_id)
    return await desk.post(f"/reports/{report['id']}/steps", {**body, **more})
