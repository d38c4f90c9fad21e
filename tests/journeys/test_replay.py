"""`refnet simulate` on a small programme: real processes, a clock that is put on, and figures that come from records alone."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from processes import block_of_ports
from schema import postgres_at_head

from services import cli
from services.simulate import run
from services.simulate.boxes import Boxes
from services.simulate.client import Desk
from services.simulate.run import Order, Outcome, simulate
from shared.kit.local.postgres_databases import PostgresDatabases
from shared.programmes.profile import Programme, load_programme

SMALL = Path(__file__).parents[1] / "support" / "programmes" / "xx-replay.yaml"
AGENCIES = ("police", "health", "social_welfare")
DEADLINE_S = 300
pytestmark = pytest.mark.timeout(DEADLINE_S + 30)
SEED = 348  # with it she comes again, takes back what she agreed to, is sent on, stays away; a sheet is entered, a call repeated


@pytest.fixture
def databases(postgres: PostgresDatabases) -> Iterator[dict[str, str]]:
    urls = {agency: postgres_at_head(postgres, agency) for agency in AGENCIES}
    yield urls
    for url in urls.values():
        postgres.drop_database(url.rpartition("/")[2])


def test_every_figure_of_a_small_programme_is_met_on_postgresql(databases: dict[str, str], tmp_path: Path) -> None:
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("REFNET_", "KAFKA_"))}
    named = [part for agency, url in databases.items() for part in ("--database", f"{agency}={url}")]
    command = [
        sys.executable, "-m", "services.cli", "simulate", str(SMALL), "--json", "--broker", "trial", "--seed", str(SEED), *named,
    ]  # fmt: skip
    with block_of_ports() as port:
        done = subprocess.run(
            [*command, "--port", str(port)], env=kept | {"REFNET_HOME": str(tmp_path)}, capture_output=True, text=True, check=False,
            timeout=DEADLINE_S,
        )  # fmt: skip
    assert done.returncode == 0, done.stderr + done.stdout
    (programme,) = json.loads(done.stdout)["programmes"]
    found = {one["name"]: one for one in programme["indicators"]}
    assert programme["id"] == "xx-replay"
    expected = {name: one["value"] for name, one in found.items() if one["expected"] is not None}
    assert expected == {
        "units": 2, "doses": 3, "reports": 7, "variance": 0, "units_ge_95": 1, "coverage": 100, "unrouted": 0, "mediations": 0,
        "consent_breaches": 0,
    }  # fmt: skip
    assert all(one["met"] for one in found.values() if one["expected"] is not None)
    assert found["care_declined"]["value"] > 0, "her no is asked for and kept, as her yes is"
    assert [(one["name"], one["value"], one["met"]) for one in programme["unmanned"]] == [("coverage", 50, True)]
    assert not done.stderr  # nobody watches: no progress
    assert not (tmp_path / "simulate" / "xx-replay").exists()  # nothing is left of people who were made up


@pytest.fixture
def broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Outcome:
    """A replay on SQLite in which one dose is given and not written down, of a profile that expects other reports."""
    monkeypatch.setenv("REFNET_HOME", str(tmp_path))
    programme = load_programme(str(SMALL))
    reports = programme.expect["reports"].model_copy(update={"value": 60.0})
    changed = programme.model_copy(update={"expect": {**programme.expect, "reports": reports}})
    monkeypatch.setattr(run, "load_programme", lambda _name: changed)
    offer, forgotten = Boxes.offer, list[str]()

    async def forgets(self: Boxes, desk: Desk, place: str, *of: str, is_taken: bool) -> None:
        if is_taken and not forgotten:
            forgotten.append(place)
            self.held[place][next(iter(self.held[place]))] -= 1  # it is out of the box all the same
            return
        await offer(self, desk, place, *of, is_taken=is_taken)

    monkeypatch.setattr(Boxes, "offer", forgets)
    said: list[str] = []
    with block_of_ports() as port:
        outcome = simulate(Order(str(SMALL), SEED, broker="trial", port=port), said.append, is_watched=False)
    assert forgotten
    assert any("all made up" in words for words in said)
    return outcome


def test_a_dose_that_nobody_wrote_down_is_in_no_figure_and_an_expectation_changes_none(broken: Outcome) -> None:
    lines = {line.id: line for line in broken.lines}
    assert (lines["doses"].value, lines["doses"].met) == (2, False)
    assert (lines["variance"].value, lines["variance"].met) == (1, False)  # the box says so: two have counted what lies there
    assert (lines["reports"].value, lines["reports"].met) == (7, False)  # whatever is expected
    assert {line.id for line in broken.lines if line.met is False} == {"doses", "variance", "reports"}
    assert not broken.is_met
    assert (broken.lost, broken.behind) == (0, ())
    # The day after: one desk has nobody, its supervisor is told, and calls go to the other.
    assert broken.unmanned is not None
    assert {line.id: line.value for line in broken.unmanned.lines} == {"coverage": 50.0}
    assert broken.unmanned.is_alarmed
    assert len(set(broken.unmanned.went_to) - {broken.unmanned.place, None}) == 1


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["zm"], 1, "There is no programme"),
        ([], 2, "name one programme, or say --all"),
        (["zm-vsu-ec", "--all"], 2, "name one programme, or say --all"),
        (["zm-vsu-ec", "--database", "police"], 2, "is not AGENCY=URL"),
        ([str(SMALL.with_name("xx-quiet.yaml"))], 1, "has no `replay`, so there is nothing to simulate"),
    ],
)
def test_what_cannot_be_replayed_is_said_in_one_sentence(
    arguments: list[str], code: int, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("REFNET_HOME", str(tmp_path))
    monkeypatch.setattr(sys, "argv", ["refnet", "simulate", *arguments])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    said = capsys.readouterr()
    assert (ended.value.code, said.out, said.err.count("\n")) == (code, "", 1)
    assert words in said.err
    assert not list(tmp_path.rglob("*.db"))


def test_every_programme_with_numbers_is_known() -> None:
    assert run.known_programmes() == ["af-fru", "bd-vsc", "latam-wps", "rw-gender-desk", "sl-fsu", "zm-vsu-ec"]
    assert isinstance(load_programme("zm-vsu-ec"), Programme)
