"""The small decisions under the local servers: versions, ports, names and the node's properties."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from shared.kit.local.cache import default_cache
from shared.kit.local.errors import LocalServerError
from shared.kit.local.java import java_major
from shared.kit.local.kafka_properties import Users, scram_arguments, server_properties
from shared.kit.local.ports import PORT_FIRST, PORT_LAST, free_ports
from shared.kit.local.postgres_binaries import find_postgres
from shared.kit.local.postgres_databases import PostgresDatabases


@pytest.mark.parametrize(
    ("answer", "major"),
    [
        ('openjdk version "17.0.15" 2025-04-15', 17),
        ('openjdk version "25" 2025-09-16', 25),
        ('java version "1.8.0_402"', 8),
        ("command not found", 0),
    ],
)
def test_java_version(answer: str, major: int) -> None:
    assert java_major(answer) == major


def test_ports_differ_and_stay_out_of_the_range_of_outgoing_connections() -> None:
    ports = free_ports(20)
    assert len(set(ports)) == 20
    assert all(PORT_FIRST <= port <= PORT_LAST < 32768 for port in ports)


def properties(users: Users | None = None, overrides: Mapping[str, str] | None = None) -> dict[str, str]:
    text = server_properties(Path("/n"), port=1, controller_port=2, users=users, overrides=overrides or {})
    return dict(line.split("=", 1) for line in text.splitlines())


def test_a_node_listens_on_the_loopback_address_only() -> None:
    assert properties()["listeners"] == "CLIENT://127.0.0.1:1,CONTROLLER://127.0.0.1:2"


def test_overrides_win() -> None:
    assert properties(overrides={"num.io.threads": "9"})["num.io.threads"] == "9"


def test_users_turn_on_passwords_and_access_rules() -> None:
    users = Users({"police": "a word"})
    secured = properties(users)
    assert secured["allow.everyone.if.no.acl.found"] == "false"
    assert "SCRAM-SHA-512=[name=police,password=a word]" in scram_arguments(users)
    assert "a word" not in repr(users)


@pytest.mark.parametrize("name", ["a b", "A", 'x"; DROP DATABASE y', "", "1a", "a" * 64])
def test_a_name_that_is_no_plain_word_never_reaches_sql(name: str) -> None:
    with pytest.raises(LocalServerError, match="cannot name a database"):
        PostgresDatabases(1, Path("/bin/false"), Path("/nowhere")).create_database(name)


def test_no_postgresql_says_what_to_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(LocalServerError, match="scripts/install-test-servers"):
        find_postgres(tmp_path)


def test_the_cache_is_the_users_own_and_moves_home_where_that_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert default_cache(tmp_path / "home") == tmp_path / "cache" / "refnet"
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert default_cache(tmp_path / "home") == tmp_path / "home" / "cache"
