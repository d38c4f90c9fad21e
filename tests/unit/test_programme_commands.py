"""`refnet programme`: a good profile is good with what of it is no fact, a bad one is told line by line; exits 0, 1 or 2."""

import json
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from services.cli import app, main
from services.runtime import here_of
from services.settings import Settings
from shared.casework.directory.network import load_network
from shared.kit.errors import RefnetError
from shared.programmes.profile import PROFILES

SKETCHES = Path(__file__).parents[1] / "support" / "programmes"
XX = SKETCHES / "xx-anywhere.yaml"
SECRET = "0" * 32


@pytest.fixture
def wrong(tmp_path: Path) -> Path:
    file = tmp_path / "wrong.yaml"
    file.write_text(XX.read_text().replace("country: XX", "country: Anywhere").replace("hours: 96", "hours: soon"))
    return file


def test_a_good_profile_is_said_to_be_good_with_what_of_it_is_no_fact() -> None:
    said = CliRunner().invoke(app, ["programme", "validate", str(PROFILES / "zm-vsu-ec.yaml")])
    assert said.exit_code == 0
    assert said.stdout.startswith("zm-vsu-ec is good: 3 agencies, 26 facilities, ")
    lines = said.stdout.split()
    assert "windows.forensic_sample" in lines
    assert "facilities.vsu_station.count" not in lines  # a fact


def test_fields_that_make_no_page_are_said_to_make_none() -> None:
    told = json.loads(CliRunner().invoke(app, ["programme", "validate", "zm-vsu-ec", "--json"]).stdout)
    assert {"ec_register", "supervision_visit"} <= set(told["registers_apart"])
    assert "pages of the software's own, which ask what they always ask" in told["words"]
    own = json.loads(CliRunner().invoke(app, ["programme", "validate", str(XX), "--json"]).stdout)
    assert "tide_log" not in own["registers_apart"], "whose page its fields make"


def test_a_bad_profile_is_told_line_by_line(wrong: Path) -> None:
    said = CliRunner().invoke(app, ["programme", "validate", str(wrong)])
    assert (said.exit_code, said.stdout) == (1, "")
    assert said.stderr.splitlines() == [
        "wrong.yaml, line 6, country: 'Anywhere' is no country code (ISO 3166-1); write two capitals, as ZM.",
        "wrong.yaml, line 114, windows, emergency_contraception, hours: 'soon' is no number of hours; write one, as 1 or 0.5.",
        "Whether its parts fit each other is looked at once these are mended: there may be more.",
    ]


def test_programs_read_the_same(wrong: Path) -> None:
    said = CliRunner().invoke(app, ["programme", "validate", str(wrong), "--json"])
    told = json.loads(said.stdout)
    assert (said.exit_code, told["is_good"], told["programme"]) == (1, False, None)
    assert [(one["line"], one["field"]) for one in told["mistakes"]] == [
        (6, ["country"]),
        (114, ["windows", "emergency_contraception", "hours"]),
    ]
    good = json.loads(CliRunner().invoke(app, ["programme", "validate", str(XX), "--json"]).stdout)
    assert (good["is_good"], good["programme"], good["mistakes"]) == (True, "xx-anywhere", [])


def test_a_programme_of_ours_is_looked_at_by_its_name_and_what_is_neither_name_nor_file_is_told() -> None:
    assert CliRunner().invoke(app, ["programme", "validate", "zm-vsu-ec"]).stdout.startswith("zm-vsu-ec is good: ")
    with pytest.raises(RefnetError, match="There is no file “none.yaml”, and no programme of this name; known are: af-fru, "):
        CliRunner().invoke(app, ["programme", "validate", "none.yaml"], catch_exceptions=False)


def test_its_network_is_a_network_file_that_agencies_start_from(tmp_path: Path) -> None:
    said = CliRunner().invoke(app, ["programme", "network", str(XX)])
    assert said.exit_code == 0
    file = tmp_path / "network.yaml"
    file.write_text(said.stdout)
    network = load_network(file)
    assert set(network.agencies) == {"guardians", "healers", "hearth", "lantern", "bench"}
    here = here_of(
        Settings.model_validate({"REFNET_NETWORK": str(file), "REFNET_HOME": str(tmp_path), "REFNET_SECRET_KEY": SECRET}),
        "guardians",
    )
    assert (here.programme.id, here.programme.languages[0]) == ("xx-anywhere", "dv")


def test_a_programme_that_is_wrong_or_unknown_stops_the_command_with_a_sentence(
    wrong: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, words in ((str(wrong), "There is one more"), ("zm", "known are: af-fru, base")):
        monkeypatch.setattr("sys.argv", ["refnet", "programme", "network", name])
        with pytest.raises(SystemExit) as ended:
            main()
        told = capsys.readouterr().err
        assert (ended.value.code, words in told, "Traceback" in told) == (1, True, False)


@pytest.mark.parametrize("purpose", ["trial", "production"])
def test_a_historical_programme_starts_no_agency_with_real_people(tmp_path: Path, purpose: str) -> None:
    said = CliRunner().invoke(app, ["programme", "network", str(PROFILES / "af-fru.yaml"), "--json"])
    content = json.loads(said.stdout) | {"purpose": purpose}
    for agency in content["agencies"].values():
        agency["root"] = "0" * 64
    file = tmp_path / "network.yaml"
    file.write_text(yaml.safe_dump(content))
    settings = Settings.model_validate({"REFNET_NETWORK": str(file), "REFNET_HOME": str(tmp_path), "REFNET_SECRET_KEY": SECRET})
    with pytest.raises(RefnetError, match="historical and for simulation only"):
        here_of(settings, "police")
