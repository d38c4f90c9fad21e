"""The desk's database is stopped: every answer is a promise that is kept, or says that nothing was saved; then all goes on.

In the long one the clinic is away as well, so a receipt is late: the desk's people are alarmed though nobody could look meanwhile.
"""

import asyncio
import time
from pathlib import Path

import pytest
from desks import in_step, open_case
from processes import Process, ProcessNetwork, everyone_is_ready, until
from schema import postgres_at_head
from servers import Kafka

from shared.contracts.casework.codes import Urgency
from shared.kit.ids import new_id
from shared.kit.local.postgres import PostgresCluster
from shared.kit.local.postgres_databases import PostgresDatabases
from shared.programmes.profile import load_programme

AWAY_S = 300  # the long one's outage, security.md section 7 number 6
ASKED_EACH = 8  # referrals asked for before the outage, in it, and after it
pytestmark = pytest.mark.timeout(1_200)  # a quarter of a minute and the outage


def incident(desk: Process, case: str) -> str:
    times = {"earliest_at": "2026-01-04T12:00:00Z", "latest_at": "2026-01-04T13:00:00Z"}
    return str(desk.post(f"/cases/{case}/incidents", {"incident_type": "physical_assault", **times})["id"])


class Clerk:
    """Asks for referrals once each, and writes down what was answered; then asks again for what was not promised."""

    def __init__(self, desk: Process, case: str) -> None:
        self.desk, self.case = desk, case
        self.promised: dict[str, str] = {}  # by incident
        self.refused: dict[str, str] = {}  # by incident, with the key that was used

    def ask(self, about: str, key: str | None = None) -> int:
        key = key or str(new_id())
        body = {
            "case_id": self.case, "incident_id": about, "to_agency": self.desk.network.names["health"],
            "to_facility": "ndola_clinic", "services": ["acute_care"], "urgency": "acute",
        }  # fmt: skip
        answer = self.desk.once("POST", "/api/v1/referrals", body, key)
        if answer.status_code == 201:
            self.promised[about] = answer.json()["id"]
            self.refused.pop(about, None)
        else:
            assert answer.status_code == 503, f"{answer.status_code}: {answer.text[:300]}"
            assert "nothing was written" in answer.text
            self.refused[about] = key
        return answer.status_code

    def ask_again(self) -> None:
        for about, key in list(self.refused.items()):
            until(lambda a=about, k=key: self.ask(a, k) == 201, "what was refused to be promised")  # type: ignore[misc]


@pytest.mark.parametrize("away_s", [0, pytest.param(AWAY_S, marks=pytest.mark.long)])
def test_a_database_that_is_stopped_is_said_and_nothing_that_was_promised_is_lost(
    away_s: int, kafka: Kafka, postgres: PostgresDatabases, postgres_cluster: PostgresCluster, unique: str, tmp_path: Path
) -> None:
    urls = {"police": postgres_cluster.fresh_database(), "health": postgres_at_head(postgres, "health")}
    network = ProcessNetwork(tmp_path, kafka, unique, urls | {"social_welfare": f"sqlite:///{tmp_path / 'w.db'}"})
    asyncio.run(network.set_up())
    with network.started(("police", "serve"), ("health", "serve")) as (desk, clinic):
        everyone_is_ready([desk, clinic])
        clerk = Clerk(desk, open_case(desk))
        incidents = [incident(desk, clerk.case) for _ in range(3 * ASKED_EACH)]
        signed_within = load_programme("zm-vsu-ec").limits.delivered_h.of(Urgency.ACUTE)
        for about in incidents[: ASKED_EACH - 1]:
            assert clerk.ask(about) == 201
        if away_s > signed_within.total_seconds():
            until(lambda: in_step([desk, clinic]), "the first to be signed for")
            assert clinic.stop() == 0
        last = incidents[ASKED_EACH - 1]
        assert clerk.ask(last) == 201
        postgres_cluster.stop()
        back_at = time.monotonic() + away_s
        for about in incidents[ASKED_EACH : 2 * ASKED_EACH]:
            assert clerk.ask(about) == 503
        until(lambda: time.monotonic() >= back_at and clerk.ask(incidents[ASKED_EACH]) == 503, "the outage to end", away_s + 60)
        assert desk.health()[0] == 503
        postgres_cluster.start()
        for about in incidents[2 * ASKED_EACH :]:
            clerk.ask(about)
        clerk.ask_again()
        if away_s > signed_within.total_seconds():
            raised = f"SELECT 1 FROM casework_alarms WHERE kind = 'undelivered' AND about = '{clerk.promised[last]}'"
            until(lambda: bool(network.rows("police", raised)), "the desk's alarm that a receipt is late")
            clinic.start()
        until(lambda: in_step([desk, clinic]), "everything to be signed for")
        assert len(set(clerk.promised.values())) == len(incidents)
        for referral in clerk.promised.values():
            assert network.facts_of("health", referral) == ["issued"]
        assert network.rows("health", "SELECT count(*) FROM casework_referrals") == [(len(incidents),)]
        network.check_streams(("police", "health"))
        late = (
            f"SELECT id FROM casework_referrals AS r WHERE delivered_at - issued_at > '{signed_within.total_seconds()} s'::interval"
            " AND NOT EXISTS (SELECT 1 FROM casework_alarms WHERE kind = 'undelivered' AND about = r.id)"
        )
        assert network.rows("police", late) == [], "a receipt was late and nobody was alarmed"
