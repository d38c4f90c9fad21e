"""`refnet certificates` and what a process does with the files: made once, renewed in time, never for a production network."""

import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from services.certificates import (
    AUTHORITY_LASTS,
    LASTS,
    RENEW_BEFORE,
    THROW_AWAY,
    files_of,
    make_broker_certificates,
    make_certificates,
)
from services.settings import Settings, load_settings
from shared.casework.directory.network import parse_network
from shared.kit.certificates import Authority, addresses_in
from shared.kit.errors import RefnetError

AGENCIES = ("police", "health")
NOW = datetime(2026, 1, 4, 12, tzinfo=UTC)
DAY = timedelta(days=1)


def everything(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def test_a_second_run_makes_nothing_and_only_this_user_reads_what_was_made(tmp_path: Path) -> None:
    assert make_certificates(tmp_path, AGENCIES, "demo", NOW) == ["police", "health"]
    made = everything(tmp_path)
    assert make_certificates(tmp_path, AGENCIES, "demo", NOW) == []
    assert everything(tmp_path) == made
    assert sorted(made) == [
        "tls/.authority/ca.key.pem", "tls/.authority/ca.pem", "tls/health/ca.pem", "tls/health/cert.pem", "tls/health/key.pem",
        "tls/police/ca.pem", "tls/police/cert.pem", "tls/police/key.pem",
    ]  # fmt: skip
    for file in (tmp_path / "tls").rglob("*.pem"):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    for agency in AGENCIES:
        files = files_of(tmp_path, agency)
        files.server_context()
        files.client_context()
        assert (files.agency(), files.authority(), files.good_until()) == (agency, THROW_AWAY, NOW + LASTS)


def test_what_is_missing_broken_or_ends_soon_is_made_anew_and_nothing_else(tmp_path: Path) -> None:
    make_certificates(tmp_path, AGENCIES, "demo", NOW)
    files_of(tmp_path, "police").key.write_bytes(files_of(tmp_path, "health").key.read_bytes())
    assert make_certificates(tmp_path, AGENCIES, "demo", NOW) == ["police"]
    files_of(tmp_path, "health").cert.write_text("no certificate")
    assert make_certificates(tmp_path, (*AGENCIES, "justice"), "demo", NOW) == ["health", "justice"]
    assert make_certificates(tmp_path, AGENCIES, "demo", NOW + LASTS - RENEW_BEFORE - DAY) == []
    assert make_certificates(tmp_path, AGENCIES, "demo", NOW + LASTS - RENEW_BEFORE) == ["police", "health"]
    before = (tmp_path / "tls" / ".authority" / "ca.pem").read_bytes()
    assert make_certificates(tmp_path, AGENCIES, "demo", NOW + AUTHORITY_LASTS) == ["police", "health"]
    assert files_of(tmp_path, "police").ca.read_bytes() == (tmp_path / "tls" / ".authority" / "ca.pem").read_bytes() != before


def test_a_trials_broker_and_its_operator_are_given_theirs_once_and_a_productions_never(tmp_path: Path) -> None:
    assert make_broker_certificates(tmp_path, ["kafka"], "demo", NOW) == ["refnet-broker", "refnet-operator"]
    made = everything(tmp_path)
    assert make_broker_certificates(tmp_path, ["kafka"], "demo", NOW) == []
    assert everything(tmp_path) == made
    assert set(addresses_in(made["kafka/.broker/broker/broker.pem"])) == {"refnet-broker", "kafka", "localhost", "127.0.0.1"}
    with pytest.raises(RefnetError, match="A production network's broker has no throw-away authority"):
        make_broker_certificates(tmp_path / "home", ["kafka"], "production", NOW)
    assert not (tmp_path / "home").exists()


def test_a_production_network_takes_an_authority_of_its_own_and_nothing_else(tmp_path: Path) -> None:
    with pytest.raises(RefnetError, match="A production network has no throw-away authority"):
        make_certificates(tmp_path / "home", AGENCIES, "production", NOW)
    assert not (tmp_path / "home").exists()
    own = tmp_path / "own"
    own.mkdir()
    with pytest.raises(RefnetError, match=r"ca\.pem cannot be read \(No such file or directory\); --authority takes"):
        make_certificates(tmp_path / "home", AGENCIES, "production", NOW, authority=own)
    pair = Authority.make("Ministry", NOW, LASTS).pair
    (own / "ca.pem").write_bytes(pair.cert)
    (own / "ca.key.pem").write_bytes(Authority.make("Ministry", NOW, LASTS).pair.key)
    with pytest.raises(RefnetError, match="holds no ca.pem with the ca.key.pem that fits it"):
        make_certificates(tmp_path / "home", AGENCIES, "production", NOW, authority=own)
    (own / "ca.key.pem").write_bytes(pair.key)
    assert make_certificates(tmp_path / "home", AGENCIES, "production", NOW, authority=own) == ["police", "health"]
    found = Settings.model_validate({"REFNET_HOME": str(tmp_path / "home")}).credentials("police", "production")
    assert found is not None
    assert found.authority() == "Ministry"


def test_a_process_takes_its_own_files_only(tmp_path: Path) -> None:
    assert Settings.model_validate({"REFNET_HOME": str(tmp_path)}).credentials("police", "demo") is None
    make_certificates(tmp_path, AGENCIES, "demo", NOW)
    police, health = files_of(tmp_path, "police"), files_of(tmp_path, "health")
    home = {"REFNET_HOME": str(tmp_path)}
    named = {"REFNET_EXCHANGE_CA": str(health.ca), "REFNET_EXCHANGE_CERT": str(health.cert), "REFNET_EXCHANGE_KEY": str(health.key)}
    assert Settings.model_validate(home).credentials("police", "demo") == police
    assert Settings.model_validate(home | named).credentials("health", "demo") == health
    assert [Settings.model_validate(home | named).holds_credentials(agency) for agency in AGENCIES] == [False, True]
    for given, agency, purpose, words in (
        (named, "police", "demo", "REFNET_EXCHANGE_CERT does not name 'police'"),
        ({"REFNET_EXCHANGE_CA": str(health.ca)}, "health", "demo", "go together; set all three or none"),
        (named | {"REFNET_EXCHANGE_CERT": str(tmp_path / "none")}, "health", "demo", "none is no readable PEM certificate"),
        (named, "health", "production", "is a throw-away authority"),
    ):
        with pytest.raises(RefnetError, match=words):
            Settings.model_validate(home | given).credentials(agency, purpose)


@pytest.mark.parametrize(("name", "value"), [("HOST", "https://x"), ("HOST", ""), ("PORT", "0"), ("PORT", "70000"), ("PORT", "x")])
def test_a_bad_address_to_listen_on_stops_the_program_with_its_name(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(f"REFNET_EXCHANGE_{name}", value)
    with pytest.raises(RefnetError, match=f"REFNET_EXCHANGE_{name} is not valid"):
        load_settings()


def network(**urls: str | None) -> Any:
    place = {"station": {"name": "Place", "district": "ndola", "posts": ["duty_officer"]}}
    kinds = {"police": "police", "health": "health", "welfare": "social_welfare"}
    agencies: dict[str, dict[str, Any]] = {
        agency: {"kind": kind, "name": "Agency", "facilities": place} for agency, kind in kinds.items()
    }
    for agency, url in urls.items():
        agencies[agency]["exchange_url"] = url
    pairs = [["police", "health"], ["police", "welfare"]]
    return parse_network({"purpose": "test", "programme": "x", "agencies": agencies, "pairs": pairs}, "it")


def test_a_pair_has_a_direct_line_where_both_ends_have_an_address() -> None:
    police, health, welfare = "https://10.0.0.1:8101", "https://[fd00::2]:8102", "https://social-welfare_worker.internal:1"
    assert network().direct_lines_of("police") == {}
    assert network(police=police).direct_lines_of("police") == {}
    assert network(health=health, welfare=welfare).direct_lines_of("police") == {}
    whole = network(police=police, health=health, welfare=welfare)
    assert whole.direct_lines_of("police") == {"health": health, "welfare": welfare}
    assert whole.direct_lines_of("health") == {"police": police}
    assert [whole.agencies[agency].exchange_port for agency in ("police", "health", "welfare")] == [8101, 8102, 1]


@pytest.mark.parametrize(
    "url",
    [
        "http://x:1",
        "https://x",
        "https://x:0",
        "https://x:65536",
        "https://x:1/",
        "https://x:٣",
        "https://u@x:1",
        "https://:1",
        "x:1",
        "",
    ],
)
def test_an_address_that_is_none_is_refused_in_words(url: str) -> None:
    with pytest.raises(RefnetError, match=r"agencies\.police\.exchange_url: .*it is written https://host:port"):
        network(police=url)


def test_two_agencies_never_share_an_address() -> None:
    with pytest.raises(RefnetError, match="two agencies have the same exchange_url"):
        network(police="https://x:1", health="https://x:1")
