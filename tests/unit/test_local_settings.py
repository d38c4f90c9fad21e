"""The small decisions under the local servers: versions, ports, names and the node's properties."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from shared.contracts.wire.topics import AGENCY_ID
from shared.kit.certificates import addresses_in
from shared.kit.local.cache import default_cache
from shared.kit.local.errors import LocalServerError
from shared.kit.local.java import java_major
from shared.kit.local.kafka_certificates import BROKER, LASTS, OPERATOR, RENEW_BEFORE, BrokerFiles
from shared.kit.local.kafka_properties import server_properties
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


def properties(overrides: Mapping[str, str] | None = None) -> dict[str, str]:
    text = server_properties(
        Path("/n"), port=1, mutual_port=2, controller_port=3, files=BrokerFiles(Path("/n/tls")), overrides=overrides or {}
    )
    return dict(line.split("=", 1) for line in text.splitlines())


def test_a_node_listens_on_the_loopback_address_only() -> None:
    assert properties()["listeners"] == "CLIENT://127.0.0.1:1,MUTUAL://127.0.0.1:2,CONTROLLER://127.0.0.1:3"


def test_overrides_win() -> None:
    assert properties(overrides={"num.io.threads": "9"})["num.io.threads"] == "9"


def test_a_node_allows_nothing_by_default_and_nobody_without_password_or_certificate() -> None:
    chosen = properties()
    assert chosen["allow.everyone.if.no.acl.found"] == chosen["auto.create.topics.enable"] == "false"
    assert chosen["listener.security.protocol.map"] == "CLIENT:SASL_SSL,MUTUAL:SSL,CONTROLLER:SSL"
    assert chosen["listener.name.mutual.ssl.client.auth"] == chosen["listener.name.controller.ssl.client.auth"] == "required"
    assert not any("password" in name or "password" in value for name, value in chosen.items())


def test_no_agency_can_be_called_as_those_who_may_do_everything() -> None:
    assert properties()["super.users"] == f"User:{BROKER};User:{OPERATOR}"
    assert not any(re.fullmatch(AGENCY_ID, name) for name in (BROKER, OPERATOR))


def test_a_brokers_files_are_made_once_and_again_before_they_end_or_for_another_address(tmp_path: Path) -> None:
    files, now = BrokerFiles(tmp_path / "tls"), datetime(2026, 7, 1, tzinfo=UTC)

    def made(*addresses: str) -> bool:
        return files.make(addresses, now)

    assert [made(), made(), made("10.1.2.3"), made("10.1.2.3"), made()] == [True, False, True, False, False]
    assert set(addresses_in(files.broker.read_bytes())) == {BROKER, "localhost", "127.0.0.1", "10.1.2.3"}
    now += LASTS - RENEW_BEFORE + timedelta(seconds=1)
    assert made()


def test_what_a_container_is_to_read_is_open_and_nothing_else_is(tmp_path: Path) -> None:
    files = BrokerFiles(tmp_path / "tls")
    files.make(for_container=True)
    assert files.folder.stat().st_mode & 0o777 == 0o700
    modes = {str(path.relative_to(files.folder)): path.stat().st_mode & 0o777 for path in files.folder.rglob("*")}
    assert modes == {
        "authority": 0o700, "authority/ca.pem": 0o600, "authority/ca.key.pem": 0o600, "broker": 0o755, "broker/ca.pem": 0o644,
        "broker/broker.pem": 0o644, "operator": 0o700, "operator/ca.pem": 0o600, "operator/cert.pem": 0o600,
        "operator/key.pem": 0o600,
    }  # fmt: skip


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
