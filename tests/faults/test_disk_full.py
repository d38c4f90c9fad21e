"""A disk is full to the last byte: under the database, the broker, the logs. Nothing that was promised is lost.

All of these are in the long tier: they mount disks, which only root may.
"""

import asyncio
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from uuid import UUID

import httpx
import pytest
from desks import in_step, issue, open_case
from processes import KINDS, Process, ProcessNetwork, everyone_is_ready, until
from schema import desk_and_clinic, postgres_at_head
from servers import Kafka, kafka_of
from small_disks import SmallDisk, small_disk

from shared.casework.lines.room import FULL
from shared.kit.ids import new_id
from shared.kit.local.cache import default_cache
from shared.kit.local.kafka import KafkaNode
from shared.kit.local.postgres import PostgresCluster
from shared.kit.local.postgres_databases import PostgresDatabases

DATABASE_MB, BROKER_MB, SQLITE_MB, LOG_MB = 400, 64, 16, 1
FILLS_WITHIN = 2_000  # requests: pages that are there already take some rows more
pytestmark = [pytest.mark.long, pytest.mark.timeout(600)]  # a minute when quiet


def asked(desk: Process) -> httpx.Response:
    return desk.once("POST", "/api/v1/cases", {}, str(new_id()))


def check_full_and_freed(network: ProcessNetwork, desk: Process, clinic: Process, disk: SmallDisk) -> None:
    """Fills the disk under the desk's database while it works, and frees it again."""
    case = open_case(desk)
    sent = [issue(desk, case) for _ in range(3)]
    until(lambda: in_step([desk, clinic]), "everything to be signed for")
    disk.fill()
    promised = {UUID(case)}
    while (answer := asked(desk)).status_code == 201:
        promised.add(UUID(answer.json()["id"]))
        assert len(promised) < FILLS_WITHIN
    assert answer.status_code == 503, "a full disk is said, and nothing is promised"
    for path in ("/api/v1/peers", f"/api/v1/referrals/{sent[0]}", f"/api/v1/cases/{case}/timeline", "/api/v1/referrals"):
        assert desk.once("GET", path).status_code == 200, "reading goes on"
    status, found = desk.health()
    assert (status, found["status"]) == (200, "degraded")
    assert found["checks"]["disk"] == FULL
    assert "disk_full" in desk.last_words()
    disk.free()
    until(lambda: desk.health()[1]["checks"]["disk"] == "ok", "the disk to have room")
    answer = asked(desk)
    assert answer.status_code == 201
    promised.add(UUID(answer.json()["id"]))
    # Who looked meanwhile was written down once there was room.
    assert {"referral", "timeline", "list"} <= {what for (what,) in network.rows("police", "SELECT what FROM casework_case_reads")}
    sent.append(issue(desk, case))
    until(lambda: in_step([desk, clinic]), "everything to be signed for")
    # As a set: one that is kept and was not promised does not make up for one that was.
    assert promised <= {UUID(str(one)) for (one,) in network.rows("police", "SELECT id FROM casework_cases")}
    for referral in sent:
        assert network.facts_of("health", referral) == ["issued"]
    network.check_streams(("police", "health"))


@pytest.fixture
def cluster_on_a_small_disk(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[PostgresCluster, SmallDisk]]:
    with small_disk(DATABASE_MB) as disk:
        with monkeypatch.context() as patched:
            patched.setattr(tempfile, "tempdir", str(disk.folder))
            cluster = PostgresCluster(fsync=False)
            cluster.start()
        yield cluster, disk
        cluster.remove()


def test_the_disk_under_postgresql_is_full(
    cluster_on_a_small_disk: tuple[PostgresCluster, SmallDisk],
    kafka: Kafka,
    postgres: PostgresDatabases,
    unique: str,
    tmp_path: Path,
) -> None:
    cluster, disk = cluster_on_a_small_disk
    urls = {"police": cluster.fresh_database(), "health": postgres_at_head(postgres, "health")}
    network = ProcessNetwork(tmp_path, kafka, unique, urls | {"social_welfare": f"sqlite:///{tmp_path / 'w.db'}"})
    asyncio.run(network.set_up())
    with network.started(("police", "serve"), ("health", "serve")) as (desk, clinic):
        everyone_is_ready([desk, clinic])
        cluster.databases.execute("SELECT pg_switch_wal()")
        cluster.databases.execute("CHECKPOINT")  # the journal has room in what it keeps: the tables' files are what cannot grow
        check_full_and_freed(network, desk, clinic, disk)


def test_the_disk_under_sqlite_is_full(kafka: Kafka, postgres: PostgresDatabases, unique: str, tmp_path: Path) -> None:
    with small_disk(SQLITE_MB) as disk:
        urls = {kind: f"sqlite:///{tmp_path / kind}.db" for kind in KINDS} | {"police": f"sqlite:///{disk.folder / 'police.db'}"}
        network = ProcessNetwork(tmp_path, kafka, unique, urls)
        asyncio.run(network.set_up())
        with network.started(("police", "serve"), ("health", "serve")) as (desk, clinic):
            everyone_is_ready([desk, clinic])
            check_full_and_freed(network, desk, clinic, disk)


def test_the_disk_under_the_broker_is_full(postgres: PostgresDatabases, unique: str, tmp_path: Path) -> None:
    """The broker's own program ends itself then; it is started again once there is room."""
    urls = desk_and_clinic(postgres, tmp_path)
    with small_disk(BROKER_MB) as disk:
        (disk.folder / "data").mkdir()
        (tmp_path / "kafka").mkdir()
        (tmp_path / "kafka" / "data").symlink_to(disk.folder / "data")
        node = KafkaNode(tmp_path / "kafka", cache=default_cache(tmp_path))
        try:
            node.start()
            network = ProcessNetwork(tmp_path, kafka_of(node), unique, urls)
            asyncio.run(network.set_up())
            with network.started(("police", "serve"), ("health", "serve")) as (desk, clinic):
                everyone_is_ready([desk, clinic])
                case = open_case(desk)
                sent = [issue(desk, case)]
                until(lambda: in_step([desk, clinic]), "the first to be signed for")
                disk.fill()

                def broker_gives_up() -> bool:
                    sent.append(issue(desk, case))
                    return desk.health()[1].get("status") == "degraded"

                until(broker_gives_up, "the broker to have no room, and the desk to say so")
                assert desk.once("GET", f"/api/v1/referrals/{sent[-1]}").status_code == 200
                disk.free()
                node.restart()
                until(lambda: in_step([desk, clinic]), "everything to be signed for")
                for referral in sent:
                    assert network.facts_of("health", referral) == ["issued"]
                network.check_streams(("police", "health"))
        finally:
            node.kill()


def test_the_disk_under_the_logs_is_full(kafka: Kafka, postgres: PostgresDatabases, unique: str, tmp_path: Path) -> None:
    """Nothing is logged, and nothing else happens: what an operator is told by is readiness, which does not need the log."""
    urls = desk_and_clinic(postgres, tmp_path)
    network = ProcessNetwork(tmp_path, kafka, unique, urls)
    asyncio.run(network.set_up())
    with small_disk(LOG_MB) as disk, ExitStack() as at_work:
        ends = []
        for kind in ("police", "health"):
            ends.append(at_work.enter_context(closing(Process(network, kind))))
            ends[-1].log_to(disk.folder / f"{kind}.log")
        disk.fill()
        for end in ends:
            end.start()
        everyone_is_ready(ends)
        desk, _clinic = ends
        case = open_case(desk)
        sent = [issue(desk, case) for _ in range(3)]
        until(lambda: in_step(ends), "everything to be signed for")
        assert disk.free_bytes == 0
        for referral in sent:
            assert desk.once("GET", f"/api/v1/referrals/{referral}").status_code == 200
            assert network.facts_of("health", referral) == ["issued"]
        network.check_streams(("police", "health"))
        for end in ends:
            assert (end.health()[1]["status"], end.last_words()) == ("ready", "")
        disk.free()
        for end in ends:
            assert end.stop() == 0
            end.start()
        until(lambda: all("line_open" in end.last_words() for end in ends), "what a start says, now that there is room for it")
