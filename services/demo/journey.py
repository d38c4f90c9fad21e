"""A programme's pathway with one synthetic survivor: a girl of 13 who comes to the desk with her aunt, 20 hours after."""

import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from services.demo.cast import KINDS, Cast
from services.demo.client import Client
from shared.contracts.casework.codes import AgencyKind, ServicePackage
from shared.kit.errors import RefnetError

ARRIVES_WITHIN_S = 30.0  # an event takes milliseconds; a loaded machine gets more
POLL_S = 0.05

Say = Callable[[str], None]


def run(clients: Mapping[AgencyKind, Client], cast: Cast, say: Say) -> None:
    """Takes her through police, health and social welfare, and prints her timeline as each sees it."""
    police, health, social = (clients[kind] for kind in KINDS)
    case_id, to_clinic, to_office = _at_the_desk(police, cast)
    at_clinic = _wait(health, to_clinic["id"], "issued")
    _at_the_clinic(health, at_clinic, to_clinic)
    at_office = _wait(social, to_office["id"], "issued")
    _at_the_office(social, at_office)
    police.post(f"/cases/{case_id}/progress", {"code": "statement_taken"})
    hearing = (datetime.now(UTC) + timedelta(days=36)).date().isoformat()
    police.post(f"/cases/{case_id}/progress", {"code": "hearing_date", "on_date": hearing})
    _wait(police, to_clinic["id"], "closed")
    _wait(police, to_office["id"], "accepted")
    _until(lambda: _has(social, at_office["case_id"], "case.progress", 2), "the social worker to hear of the hearing")
    _until(lambda: _closed_in_circle(social, at_office["case_id"]), "the social worker to hear that the clinic finished")
    for name, client, case in (
        ("Police desk", police, case_id), ("Clinic", health, at_clinic["case_id"]), ("Social worker", social, at_office["case_id"]),
    ):  # fmt: skip
        _until(partial(_received, client, case), "every receipt of its words")
        _print_timeline(name, client, case, say)


def _at_the_desk(police: Client, cast: Cast) -> tuple[str, Any, Any]:
    now = datetime.now(UTC)
    clinic, office = cast.parts[AgencyKind.HEALTH], cast.parts[AgencyKind.SOCIAL_WELFARE]
    needs = {"age_band": "10-14", "sex": "female", "language": cast.language, "staff_preference": "female"}
    case = police.post(
        "/cases",
        {
            "needs": needs,
            "child": {"assent": "yes", "safe_adult_present": "yes"},
            "safety": {"safe_to_return": "unknown", "alone_on_phone": "no"},
        },
    )
    incident = police.post(
        f"/cases/{case['id']}/incidents",
        {
            "incident_type": "rape",
            "contexts": ["child_sexual_abuse"],
            "earliest_at": (now - timedelta(hours=20)).isoformat(),
            "latest_at": (now - timedelta(hours=19)).isoformat(),
        },
    )
    spoken = {"how": "thumb", "language": cast.language}
    for recipient, purpose, items in (
        (clinic.agency, "care", ["req", "needs", "type", "given", "fb"]),
        (office.agency, "support", ["req", "needs", "safety", "prog"]),
    ):
        police.post(f"/cases/{case['id']}/consents", {"recipient": recipient, "purpose": purpose, "items": items, **spoken})
    travel = {"mode": "police_vehicle", "escort": "officer", "expected_at": (now + timedelta(minutes=40)).isoformat()}
    is_examined = cast.form is not None and ServicePackage.EXAMINATION_AND_REPORT in clinic.services
    form = {"report_form": {"form": cast.form[0], "form_version": cast.form[1]}} if cast.form and is_examined else {}
    shared = {"case_id": case["id"], "incident_id": incident["id"]}
    to_clinic = police.post(
        "/referrals",
        {**shared, "to_agency": clinic.agency, "to_facility": clinic.place, "services": clinic.services, "urgency": "acute",
         "travel": travel, **form},
    )  # fmt: skip
    to_office = police.post(
        "/referrals",
        {**shared, "to_agency": office.agency, "to_facility": office.place, "services": office.services, "urgency": "urgent"},
    )
    police.post(f"/referrals/{to_clinic['id']}/set-out", travel)
    return case["id"], to_clinic, to_office


def _at_the_clinic(health: Client, referral: Any, issued: Any) -> None:
    health.post(f"/referrals/{referral['id']}/acknowledge")
    health.post(f"/referrals/{referral['id']}/accept")
    came = health.post("/arrivals", {"code": issued["arrival_code"], "feedback": True})
    if not came["matched"]:
        raise RefnetError("The clinic did not know the code on her card.")
    health.post(f"/referrals/{referral['id']}/start")
    for care, result in (("examination", "given"), ("pep", "given"), ("emergency_contraception", "refused")):
        health.post(f"/referrals/{referral['id']}/care", {"care": care, "result": result})
    health.post(f"/referrals/{referral['id']}/close", {"outcome_code": "served"})


def _at_the_office(social: Client, referral: Any) -> None:
    social.post(f"/referrals/{referral['id']}/acknowledge")
    social.post(f"/referrals/{referral['id']}/accept")
    social.post(f"/cases/{referral['case_id']}/assignment")


def _wait(client: Client, referral_id: str, status: str) -> Any:
    found: list[Any] = []

    def look() -> bool:
        found[:] = [r for r in client.get("/referrals?limit=200")["items"] if r["id"] == referral_id and r["status"] == status]
        return bool(found)

    _until(look, f"a referral to be {status}")
    return found[0]


def _timeline(client: Client, case_id: str) -> list[Any]:
    return list(client.get(f"/cases/{case_id}/timeline?limit=200")["items"])


def _has(client: Client, case_id: str, kind: str, count: int) -> bool:
    return len([line for line in _timeline(client, case_id) if line["kind"] == kind]) >= count


def _received(client: Client, case_id: str) -> bool:
    receipts = [line["receipt"] for line in _timeline(client, case_id)]
    return all(one is None or one["withheld"] or one["delivered_at"] for one in receipts)


def _closed_in_circle(client: Client, case_id: str) -> bool:
    told = [line["detail"] for line in _timeline(client, case_id) if line["kind"] == "circle.referral_progress"]
    return any(detail.get("state") == "closed" for detail in told)


def _until(true: Callable[[], bool], what: str) -> None:
    until = time.monotonic() + ARRIVES_WITHIN_S
    while not true():
        if time.monotonic() > until:
            raise RefnetError(f"Waited {ARRIVES_WITHIN_S:.0f} s for {what}; see the agencies' logs and `refnet doctor`.")
        time.sleep(POLL_S)


SKIPPED = {"case.opened", "incident.recorded", "consent.recorded", "circle.announced"}
SHOWN = ("from_facility", "to_facility", "to_agency", "facility", "services", "urgency", "outcome_code", "state", "code", "on_date",
         "mode", "escort")  # fmt: skip


def _print_timeline(name: str, client: Client, case_id: str, say: Say) -> None:
    case = client.get(f"/cases/{case_id}")
    say(f"{name} — case {case['number']}")
    for line in _timeline(client, case_id):
        if line["kind"] in SKIPPED:
            continue
        told = ", ".join(_words(line["detail"][key]) for key in SHOWN if key in line["detail"])
        tick = _tick(line)
        say(f"  {line['occurred_at'][11:19]}  {line['agency']:<15} {line['kind']:<26} {told}{tick}")
    say("")


def _words(value: Any) -> str:
    return " + ".join(value) if isinstance(value, list) else str(value)


def _tick(line: Any) -> str:
    receipt = line["receipt"]
    if receipt is None:
        return ""
    return "  ✓✓ received" if receipt["delivered_at"] else "  ✓ sent" if receipt["sent_at"] else "  … on its way"
