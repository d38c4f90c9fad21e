"""The replays of our programmes, whole, each with two seeds, on a real Kafka: every expected figure comes out of the records."""

import json
import os
import socket
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest
from processes import free_port

pytestmark = pytest.mark.long

PORTS = 40  # agencies of a programme, each with two
DEADLINE_S = 3_600  # minutes on two quiet cores
MUST = {
    "zm-vsu-ec": {
        "stations": 5, "health_facilities": 17, "ec_doses": 357, "adverse": 0, "misuse": 0, "box_variance": 0,
        "reports_change_pct": 48, "sites_ge_95": 3, "mediations": 0, "consent_breaches": 0,
    },
    "rw-gender-desk": {
        "stations": 69, "desks": 69, "station_coverage_pct": 100, "calls_unrouted": 0, "mediations": 0, "consent_breaches": 0,
    },
    "bd-vsc": {"centres_open": 1, "centres_total": 8, "ngo_partners": 10, "stay_limit_d": 5, "overstay_without_plan": 0,
               "mediations": 0, "consent_breaches": 0},
    "sl-fsu": {"fsu_total": 41, "rainbo_total": 3, "fee_charged": 0, "mediations": 0, "consent_breaches": 0},
    "af-fru": {"fru_total": 22, "provinces": 7, "mediations": 0, "consent_breaches": 0},
    "latam-wps": {
        "stations_ni": 59, "stations_ec": 34, "mediation_started": 0, "non_specialist_share": 0, "handed_over_in_time": 1,
        "mediations": 0, "consent_breaches": 0,
    },
}  # fmt: skip


def a_free_block() -> int:
    """The port before forty that nobody listens on: other tests of this machine take theirs from the same numbers, and two of
    these would find the same ones free: a replay listens only once its accounts are made. So each worker has its own."""
    beside = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    for _try in range(100):
        first = 20_000 + 2_000 * (beside % 5) + 200 * (free_port() % 10)
        with ExitStack() as held:
            try:
                for port in range(first + 1, first + 1 + PORTS):
                    held.enter_context(socket.socket()).bind(("127.0.0.1", port))
            except OSError:
                continue
        return first
    raise AssertionError("no block of free ports was found")


@pytest.mark.timeout(DEADLINE_S + 60)
@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("programme", MUST)
def test_a_replay_meets_every_expected_figure(programme: str, seed: int, tmp_path: Path) -> None:
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("REFNET_", "KAFKA_"))}
    port = a_free_block()
    command = [
        sys.executable, "-m", "services.cli", "simulate", programme, "--seed", str(seed), "--json", "--broker", "kafka",
        "--port", str(port),
    ]  # fmt: skip
    done = subprocess.run(
        command, env=kept | {"REFNET_HOME": str(tmp_path)}, capture_output=True, text=True, check=False, timeout=DEADLINE_S
    )
    assert done.returncode == 0, done.stderr + done.stdout
    (told,) = json.loads(done.stdout)["programmes"]
    found = {one["name"]: one for one in told["indicators"] if one["expected"] is not None}
    assert {name: one["expected"] for name, one in found.items()} == MUST[programme]
    assert all(one["met"] for one in found.values())
    unmanned = {one["name"]: (one["expected"], one["met"]) for one in told.get("unmanned", ()) if one["expected"] is not None}
    assert unmanned == ({"station_coverage_pct": (98.6, True)} if programme == "rw-gender-desk" else {})
