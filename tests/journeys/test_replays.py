"""The replays of our programmes, whole, with two seeds, on a real Kafka: every expected figure comes out of the records."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from processes import block_of_ports

pytestmark = pytest.mark.long

DEADLINE_S = 5_400  # all of them take half an hour on two quiet cores
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
        "stations_ni": 59, "stations_ec": 34, "stations_br": 475, "mediation_started": 0, "non_specialist_share": 0,
        "handed_over_in_time": 1, "mediations": 0, "consent_breaches": 0,
    },
}  # fmt: skip


HANDED_OVER_WITHIN_H = 24
BEGUN_AT_UNITS = 6  # of whoever comes to a unit on its two tours, at least
OVERSIGHT = {"latam-wps": ["oversight"], "bd-vsc": ["home_ministry"]}


def simulated(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """`refnet simulate` as it is typed."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("REFNET_", "KAFKA_"))}
    command = [sys.executable, "-m", "services.cli", "simulate", *arguments, "--json", "--broker", "kafka"]
    with block_of_ports() as port:
        return subprocess.run(
            [*command, "--port", str(port)], env=kept | {"REFNET_HOME": str(folder)}, capture_output=True, text=True, check=False,
            timeout=DEADLINE_S,
        )  # fmt: skip


def check(told: dict[str, Any]) -> None:
    """Every expected figure of a programme is met, and what a mobile unit and an oversight body of it show beside them."""
    found = {one["name"]: one for one in told["indicators"] if one["expected"] is not None}
    assert {name: one["expected"] for name, one in found.items()} == MUST[told["id"]]
    assert all(one["met"] for one in found.values()), told
    unmanned = {one["name"]: (one["expected"], one["met"]) for one in told.get("unmanned", ()) if one["expected"] is not None}
    assert unmanned == ({"station_coverage_pct": (98.6, True)} if told["id"] == "rw-gender-desk" else {})
    tours, overseen = told.get("tours", []), told.get("overseen", [])
    assert [(one["agency"], one["hours"], one["lacking"], one["met"]) for one in tours] == (
        [("mobile", 40, 0, True)] * 2 if told["id"] == "latam-wps" else []
    )
    assert all(one["waited"] >= 2 for one in tours)
    handed_over = told.get("handed_over")
    assert (handed_over is not None) == (told["id"] == "latam-wps")
    if handed_over is not None:
        assert handed_over["begun_at_units"].keys() == {"in_time"}
        assert handed_over["begun_at_units"]["in_time"] >= BEGUN_AT_UNITS
        assert handed_over["latest_h"] <= HANDED_OVER_WITHIN_H
    assert [(one["agency"], one["beside_counts"], one["met"]) for one in overseen] == [
        (one, 0, True) for one in OVERSIGHT.get(told["id"], ())
    ]


@pytest.mark.timeout(DEADLINE_S + 60)
def test_every_programme_one_after_the_other_meets_every_expected_figure(tmp_path: Path) -> None:
    done = simulated(tmp_path, "--all")
    assert done.returncode == 0, done.stderr + done.stdout
    programmes = json.loads(done.stdout)["programmes"]
    assert {one["id"] for one in programmes} == set(MUST)
    for told in programmes:
        check(told)


@pytest.mark.timeout(DEADLINE_S + 60)
@pytest.mark.parametrize("programme", MUST)
def test_a_replay_of_another_seed_meets_them_too(programme: str, tmp_path: Path) -> None:
    done = simulated(tmp_path, programme, "--seed", "2")
    assert done.returncode == 0, done.stderr + done.stdout
    (told,) = json.loads(done.stdout)["programmes"]
    check(told)
