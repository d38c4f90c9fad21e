"""SIGKILL of an agency's process between every two steps of a referral's way: each event is applied once and both ends agree."""

import asyncio
from pathlib import Path

import desks
import pytest
from processes import KINDS, Process, ProcessNetwork, everyone_is_ready, until
from schema import postgres_at_head
from servers import Kafka
from steps import STEPS

from shared.casework.sharing import THERE_FOR
from shared.contracts.casework.codes import AgencyKind
from shared.kit.local.postgres_databases import PostgresDatabases

pytestmark = pytest.mark.timeout(900)  # a minute when quiet


def journey(processes: dict[str, Process], case_id: str) -> dict[str, str]:
    """One incident, one referral to each of the others, taken as far as feedback goes. Returns the referrals by recipient."""
    police = processes["police"]
    times = {"earliest_at": "2026-01-04T12:00:00Z", "latest_at": "2026-01-04T13:00:00Z"}
    incident = police.post(f"/cases/{case_id}/incidents", {"incident_type": "physical_assault", **times})
    sent = {}
    for kind, facility, service in (
        ("health", "ndola_clinic", "acute_care"),
        ("social_welfare", "ndola_district_office", "psychosocial"),
    ):
        body = {"case_id": case_id, "incident_id": incident["id"], "to_agency": police.network.names[kind], "to_facility": facility,
                "services": [service], "urgency": "acute"}  # fmt: skip
        sent[kind] = police.post("/referrals", body)["id"]
        police.post(f"/referrals/{sent[kind]}/set-out", {"mode": "car", "escort": "officer"})
    for kind, referral in sent.items():
        there = processes[kind]
        until(lambda t=there, r=referral: knows(processes, t, r), f"{kind} to hear of its referral")  # type: ignore[misc]
        there.post(f"/referrals/{referral}/accept")
        there.post(f"/referrals/{referral}/arrive", {"feedback": True})
        there.post(f"/referrals/{referral}/close", {"outcome_code": "served"})
    return sent


def knows(processes: dict[str, Process], there: Process, referral: str) -> bool:
    look(processes)
    return any(r["id"] == referral for r in there.get("/referrals?limit=200")["items"])


def look(processes: dict[str, Process]) -> None:
    for process in processes.values():
        process.look()


def in_step(processes: dict[str, Process]) -> bool:
    look(processes)
    return desks.in_step(list(processes.values()))


# The clinic is the one that sends and receives; the others are killed in `make test-long`.
@pytest.mark.parametrize("victim", ["health", *(pytest.param(one, marks=pytest.mark.long) for one in ("police", "social_welfare"))])
def test_an_agency_killed_between_every_two_steps_loses_and_doubles_nothing(
    victim: str, kafka: Kafka, postgres: PostgresDatabases, unique: str, tmp_path: Path
) -> None:
    urls = {kind: f"sqlite:///{tmp_path / kind}.db" for kind in KINDS}
    if victim != "health":  # one victim on SQLite, the others on PostgreSQL
        urls[victim] = postgres_at_head(postgres, victim)
    network = ProcessNetwork(tmp_path, kafka, unique, urls)
    asyncio.run(network.set_up())
    with network.running([(kind, "serve") for kind in KINDS], {victim: STEPS}) as processes:
        case = processes["police"].post("/cases")
        for kind in ("health", "social_welfare"):
            body = {
                "recipient": network.names[kind],
                "purpose": THERE_FOR[AgencyKind(kind)],
                "items": ["req", "fb", "prog"],
                "how": "spoken",
                "language": "en",
            }
            processes["police"].post(f"/cases/{case['id']}/consents", body)
        sent = []
        while len(processes[victim].died_at) < len(STEPS):
            deaths = len(processes[victim].died_at)
            sent.append(journey(processes, case["id"]))
            until(lambda: in_step(processes), "everything to be signed for")
            assert len(processes[victim].died_at) > deaths, f"{victim} never passed {processes[victim].armed}"
        sent.append(journey(processes, case["id"]))
        until(lambda: in_step(processes), "everything to be signed for")
        everyone_is_ready(processes)
        assert processes[victim].died_at == STEPS
        for referrals in sent:
            for kind, referral in referrals.items():
                there, here = processes[kind].get(f"/referrals/{referral}"), processes["police"].get(f"/referrals/{referral}")
                assert (here["status"], here["outcome_code"]) == (there["status"], there["outcome_code"]) == ("closed", "served")
                # Each fact once at both ends, each writer's own in its order; the two writers' facts may cross on the way.
                for end in (kind, "police"):
                    facts = network.facts_of(end, referral)
                    assert [f for f in facts if f != "set_out"] == ["issued", "accepted", "arrived", "closed"]
                    assert facts.count("set_out") == 1
        assert len(processes["health"].get("/referrals?limit=200")["items"]) == len(sent)
        assert [process.stop() for process in processes.values()] == [0, 0, 0]
    network.check_streams()
