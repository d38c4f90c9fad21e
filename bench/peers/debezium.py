"""Debezium's outbox event router on Kafka Connect in the relay's place, with its defaults: the raw pipe's tables, desk and clinic.

The jars come from Maven Central by the pom beside this file, once a user.
"""

import asyncio
import hashlib
import shutil
import subprocess
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

from bench.children import Child, Unmeasured
from bench.pipes import Place, Raw, connected, plain_environment
from bench.report import say
from shared.exchange.access import Access
from shared.kit.files import write_whole
from shared.kit.local.cache import default_cache, held
from shared.kit.local.errors import LocalServerError
from shared.kit.local.java import find_java, find_maven
from shared.kit.local.kafka_jars import LOG_CONFIG
from shared.kit.local.ports import free_ports

POM = Path(__file__).with_name("pom.xml")
SERVER_SETTINGS = {"wal_level": "logical"}  # what Debezium needs of PostgreSQL
HEAP = ("-Xms256M", "-Xmx2G")  # what Connect's own start script gives it
FETCH_DEADLINE_S = 300
READY_DEADLINE_S = 120.0  # 5 to 11 s when quiet
LOOK_S = 0.2
SLOT_READS = "SELECT count(*) FROM pg_replication_slots WHERE slot_name = $1 AND active"

WORKER = """
bootstrap.servers={kafka}
{secured}
listeners=http://127.0.0.1:{port}
key.converter=org.apache.kafka.connect.storage.StringConverter
value.converter=org.apache.kafka.connect.storage.StringConverter
offset.storage.file.filename={folder}/offsets
"""
CONNECTOR = """
name=outbox
connector.class=io.debezium.connector.postgresql.PostgresConnector
tasks.max=1
plugin.name=pgoutput
database.hostname={host}
database.port={database_port}
database.user={user}
database.password=none
database.dbname={database}
topic.prefix=raw
slot.name={slot}
publication.name={slot}
table.include.list=public.outbox
transforms=outbox
transforms.outbox.type=io.debezium.transforms.outbox.EventRouter
"""


class Debezium(Raw):
    """The raw pipe with Debezium as its relay."""

    name = "debezium"

    def relay(self, place: Place) -> Child:
        folder = place.folder / f"connect-{place.unique}"
        folder.mkdir(parents=True, exist_ok=True)
        where = urlsplit(place.desk_url)
        values = {
            "kafka": place.operator.bootstrap_servers, "secured": _secured(place.operator, folder), "port": free_ports(1)[0],
            "folder": folder, "host": where.hostname, "database_port": where.port,
            "user": where.username, "database": where.path.removeprefix("/"), "slot": slot_of(place),
        }  # fmt: skip
        for name, text in (("worker", WORKER), ("connector", CONNECTOR)):
            (folder / f"{name}.properties").write_text(text.format(**values))
        files = [str(folder / f"{name}.properties") for name in ("worker", "connector")]
        jars = fetch_debezium()
        argv = [find_java().executable, *HEAP, f"-Dlog4j2.configurationFile={LOG_CONFIG}", "-cp", f"{jars}/*"]
        return Connect(place, [*argv, "org.apache.kafka.connect.cli.ConnectStandalone", *files])


def _secured(operator: Access, folder: Path) -> str:
    """The operator's certificate, as every client of Connect is told of it; none where the broker asks for none."""
    if operator.ca is None or operator.cert is None or operator.key is None:
        return ""
    both = folder / "operator.pem"
    write_whole(both, operator.key.read_bytes() + operator.cert.read_bytes())
    said = {
        "security.protocol": "SSL", "ssl.keystore.type": "PEM", "ssl.keystore.location": both, "ssl.truststore.type": "PEM",
        "ssl.truststore.location": operator.ca,
    }  # fmt: skip
    return "\n".join(f"{whose}{name}={value}" for whose in ("", "producer.", "admin.") for name, value in said.items())


def slot_of(place: Place) -> str:
    """The name of its replication slot."""
    return f"debezium_{place.unique}"


class Connect(Child):
    """Kafka Connect, ready when it reads the database's log; its slot goes with it, or the log would be kept for ever."""

    def __init__(self, place: Place, argv: list[str]) -> None:
        super().__init__("debezium", argv, plain_environment(), place.folder)
        self._place = place

    async def __aenter__(self) -> Self:
        await super().__aenter__()
        async with connected(self._place.desk_url) as desk:
            try:
                async with asyncio.timeout(READY_DEADLINE_S):
                    while not await desk.fetchval(SLOT_READS, slot_of(self._place)):
                        self.check()
                        await asyncio.sleep(LOOK_S)
            except TimeoutError:
                await self.stop()
                raise Unmeasured(f"Debezium did not begin within {READY_DEADLINE_S:.0f} s: {self.last_words()}") from None
        return self

    async def stop(self) -> None:
        await super().stop()
        async with connected(self._place.desk_url) as desk:
            await desk.execute("SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = $1",
                               slot_of(self._place))  # fmt: skip


def fetch_debezium() -> Path:
    """The folder of its jars, fetched unless they are there; raises LocalServerError."""
    cache = default_cache(Path(".refnet"))
    folder = cache / f"debezium-{hashlib.sha256(POM.read_bytes()).hexdigest()[:8]}"
    if folder.is_dir():
        return folder
    with held(cache / "debezium.lock"):
        if not folder.is_dir():
            say("fetching Debezium, once for this user (41 MB)")
            _fetch(folder)
    return folder


def _fetch(folder: Path) -> None:
    unfinished = folder.with_suffix(".fetching")
    shutil.rmtree(unfinished, ignore_errors=True)
    argv = [find_maven(), "-q", "-B", "-f", str(POM), "dependency:copy-dependencies", f"-DoutputDirectory={unfinished}"]
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=FETCH_DEADLINE_S, check=False)
    except subprocess.TimeoutExpired as cause:
        raise LocalServerError(f"Maven did not fetch Debezium within {FETCH_DEADLINE_S} s.") from cause
    if done.returncode != 0:
        errors = [line for line in done.stdout.splitlines() if "ERROR" in line] or ["it gave no reason"]
        raise LocalServerError(f"Maven could not fetch Debezium: {errors[0].strip()}")
    unfinished.rename(folder)
