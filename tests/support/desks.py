"""What desks do over HTTP in tests on real processes: open cases, issue referrals, and look whether everybody is in step."""

from collections.abc import Collection
from typing import Any

from processes import Process

from shared.casework.sharing import THERE_FOR
from shared.contracts.casework.codes import AgencyKind


def open_case(police: Process, agreed: Collection[str] = ("health", "social_welfare")) -> str:
    """A case whose survivor agrees to both other agencies, or to these; returns its id."""
    case = police.post("/cases")
    for kind in agreed:
        body = {
            "recipient": police.network.names[kind],
            "purpose": THERE_FOR[AgencyKind(kind)],
            "items": ["req", "fb", "prog"],
            "how": "spoken",
            "language": "en",
        }
        police.post(f"/cases/{case['id']}/consents", body)
    return str(case["id"])


PLACES = {"health": ("ndola_clinic", "acute_care"), "social_welfare": ("ndola_district_office", "psychosocial"),
          "partner": ("refuge", "shelter"), "justice": ("office", "prosecution")}  # fmt: skip


def issue(police: Process, case_id: str, to: str = "health") -> str:
    """A new incident with an acute referral to the clinic, or to another; returns the referral's id."""
    facility, service = PLACES[to]
    times = {"earliest_at": "2026-01-04T12:00:00Z", "latest_at": "2026-01-04T13:00:00Z"}
    incident = police.post(f"/cases/{case_id}/incidents", {"incident_type": "physical_assault", **times})
    place = {"to_agency": police.network.names[to], "to_facility": facility}
    body = {"case_id": case_id, "incident_id": incident["id"], **place, "services": [service], "urgency": "acute"}
    return str(police.post("/referrals", body)["id"])


def statuses(process: Process) -> dict[str, str]:
    """The referrals that an agency knows (at most 200), each with its state there."""
    return {r["id"]: r["status"] for r in process.get("/referrals?limit=200")["items"]}


def in_step(processes: Collection[Process]) -> bool:
    """Whether everything that these have said to each other is signed for, and nothing waits. Asked twice: whoever was asked first
    may have heard, before the last was, what it has to tell a third; that third tells nobody of it in turn."""
    names = {process.agency for process in processes}
    lines: list[Any] = [line for p in [*processes] * 2 for line in p.get("/peers")["items"] if line["agency"] in names]
    return all(line["undelivered"] == 0 and line["waiting_here"] == 0 for line in lines)
