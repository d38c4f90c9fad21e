"""The desk's clock is a day ahead, then a day behind: order stays, nothing is rejected, deadlines are kept by its own clock."""

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from desks import in_step, issue, open_case
from processes import Process, ProcessNetwork, everyone_is_ready, until
from servers import Kafka

from shared.contracts.casework.codes import Urgency
from shared.kit.local.postgres_databases import PostgresDatabases
from shared.programmes.profile import load_programme

DAY = timedelta(days=1)
RUN_UP = timedelta(seconds=3)  # of the desk's clock before the deadline
HAND_S = 0.05  # the clock's hand moves this often
pytestmark = pytest.mark.timeout(600)  # a quarter of a minute when quiet


class Wall:
    """A clock on the desk's wall that runs, and that somebody sets while it does."""

    def __init__(self, file: Path, ahead: timedelta) -> None:
        self.file, self.ahead = file, ahead
        self._done = threading.Event()
        self._show()

    def now(self) -> datetime:
        return datetime.now(UTC) + self.ahead

    def set(self, at: datetime) -> None:
        self.ahead = at - datetime.now(UTC)

    def _show(self) -> None:
        fresh = self.file.with_suffix(".new")
        fresh.write_text(self.now().isoformat())
        fresh.replace(self.file)

    def _run(self) -> None:
        while not self._done.wait(HAND_S):
            self._show()

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        hand = threading.Thread(target=self._run)
        hand.start()
        try:
            yield
        finally:
            self._done.set()
            hand.join()


def story(desk: Process, clinic: Process, case: str) -> str:
    """A referral that is served to its end, with a word of either side in turn."""
    referral = issue(desk, case)
    desk.post(f"/referrals/{referral}/set-out", {"mode": "car", "escort": "officer"})
    until(lambda: desk.network.facts_of("health", referral) == ["issued", "set_out"], "the referral to arrive")
    clinic.post(f"/referrals/{referral}/accept")
    clinic.post(f"/referrals/{referral}/arrive", {"feedback": True})
    clinic.post(f"/referrals/{referral}/close", {"outcome_code": "served"})
    until(lambda: desk.get(f"/referrals/{referral}")["status"] == "closed", "the desk to know the end")
    return referral


@pytest.mark.long
def test_clocks_a_day_apart_that_step_change_no_order_and_reject_nothing(
    kafka: Kafka, postgres: PostgresDatabases, unique: str, tmp_path: Path
) -> None:
    urls = {kind: postgres.fresh_database() for kind in ("police", "health")} | {"social_welfare": f"sqlite:///{tmp_path / 'w.db'}"}
    network, wall = ProcessNetwork(tmp_path, kafka, unique, urls), Wall(tmp_path / "clock", DAY)
    asyncio.run(network.set_up())
    network.more["police"] = {"REFNET_CLOCK": f"file:{wall.file}"}
    with wall.running(), network.started(("police", "serve"), ("health", "serve")) as (desk, clinic):
        everyone_is_ready([desk, clinic])
        case = open_case(desk)
        told = [story(desk, clinic, case)]
        open_yet = issue(desk, case)
        until(lambda: network.facts_of("health", open_yet) == ["issued"], "the referral to arrive")
        wall.ahead = -DAY  # somebody sets it, in the middle of a story
        clinic.post(f"/referrals/{open_yet}/accept")
        told.append(story(desk, clinic, case))
        until(lambda: in_step([desk, clinic]), "everything to be signed for")
        for end in ("police", "health"):
            assert network.facts_of(end, open_yet) == ["issued", "accepted"]
            for referral in told:
                assert network.facts_of(end, referral) == ["issued", "set_out", "accepted", "arrived", "closed"]
        network.check_streams(("police", "health"))

        late = issue(desk, case)
        issued_at = datetime.fromisoformat(desk.get(f"/referrals/{late}")["issued_at"])
        limit = load_programme("zm-vsu-ec").limits.acknowledge_h.of(Urgency.ACUTE)
        wall.set(issued_at + limit - RUN_UP)
        raised = f"SELECT raised_at FROM casework_alarms WHERE about = '{late}' AND kind = 'unacknowledged'"
        until(lambda: bool(network.rows("police", raised)), "the alarm that nobody has seen it")
        after = network.rows("police", raised)[0][0] - issued_at - limit
        print(f"the alarm was raised {after.total_seconds():.1f} s after the deadline, by the desk's own clock")
        assert after > timedelta(0)
