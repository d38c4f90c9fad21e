"""The two pipes that are compared, ours and the raw one: the same three processes each, desk, relay and clinic, on one machine.

Both databases keep commit times, so that a referral's way is read from the databases afterwards and nothing watches while it runs.
"""

import contextlib
import os
import secrets
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import asyncpg
import yaml

import services.demo
from bench import raw, stamps
from bench.children import Child
from bench.desk import FACILITY
from bench.servers import Servers
from services.kinds import parts_of
from services.provision import provision
from services.settings import Settings, variables_of
from shared.casework.migrate import migrate
from shared.contracts.casework.codes import AgencyKind
from shared.exchange.access import Access
from shared.exchange.access import provision as make_topics
from shared.kit.db import Database
from shared.kit.keystore import Keystore

KINDS = ("police", "health", "social_welfare")
COMMITTED = "extract(epoch FROM pg_xact_commit_timestamp(xmin))::float8"


@dataclass(frozen=True, slots=True)
class Place:
    """Where one pass runs: a database of its own at either end, names of its own on the broker, a folder for logs."""

    kafka: str
    operator: Access
    desk_url: str
    clinic_url: str
    unique: str
    folder: Path


class Pipe(Protocol):
    """One of the two. The queries answer (referral id, commit time in seconds) at either end."""

    name: str
    at_desk: str
    at_clinic: str
    arrived: str

    async def place(self, servers: Servers, referrals: int) -> Place:
        """Fresh databases and topics, with what `referrals` referrals need."""
        ...

    def desk(self, place: Place) -> Child:
        """The process whose clients issue."""
        ...

    def relay(self, place: Place) -> Child:
        """The process that sends."""
        ...

    def clinic(self, place: Place) -> Child:
        """The process that receives."""
        ...

    async def fill(self, place: Place, events: int) -> None:
        """Leaves a backlog at the desk, as its own issuing would; something has been issued before."""
        ...


def refnet(*argv: str) -> list[str]:
    """The project's own command."""
    return python("services.cli", *argv)


def python(*argv: str) -> list[str]:
    """A module of ours under this Python."""
    return [sys.executable, "-m", *argv]


def plain_environment() -> dict[str, str]:
    """This process's environment without what points the project's own at a broker or a database."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("REFNET_", "KAFKA_"))}


class Raw:
    """The raw limit."""

    name = "raw"
    at_desk = at_clinic = f"SELECT id::text, {COMMITTED} FROM referral"
    arrived = "SELECT count(*) FROM referral"

    async def place(self, servers: Servers, referrals: int) -> Place:
        place = Place(servers.kafka, servers.operator, servers.database(), servers.database(), secrets.token_hex(4), servers.folder)
        await _execute(place.desk_url, raw.DESK)
        await _execute(place.clinic_url, raw.CLINIC)
        await make_topics(place.operator, (topic_of(place),), 1)
        return place

    def desk(self, place: Place) -> Child:
        argv = python("bench.raw", "desk", place.desk_url, place.unique)
        return Child("raw-desk", argv, plain_environment(), place.folder, is_ordered=True)

    def relay(self, place: Place) -> Child:
        return self._child("relay", place, place.desk_url, topic_of(place))

    def clinic(self, place: Place) -> Child:
        return self._child("clinic", place, place.clinic_url, topic_of(place))

    def _child(self, role: str, place: Place, *argv: str) -> Child:
        # A line as ours is, in TLS to a broker that keeps rights; that a certificate opens it and no password costs nothing later.
        environment = plain_environment() | variables_of(place.operator)
        return Child(f"raw-{role}", python("bench.raw", role, *argv), environment, place.folder)

    async def fill(self, place: Place, events: int) -> None:
        async with connected(place.desk_url) as desk:
            await stamps.issue_many_raw(desk, events)


def topic_of(place: Place) -> str:
    """The raw pipe's topic; Debezium's event router gives it this name."""
    return f"outbox.event.{place.unique}"


class Ours:
    """The project: its command at the desk, `refnet worker` at either end."""

    name = "exchange"
    at_desk = at_clinic = f"SELECT referral_id::text, {COMMITTED} FROM casework_referral_facts WHERE type = 'referral.issued'"
    arrived = "SELECT count(*) FROM casework_referrals"

    async def place(self, servers: Servers, referrals: int) -> Place:
        unique = secrets.token_hex(4)
        urls = [servers.database(servers.template(f"{kind}_head", migrated(kind))) for kind in ("police", "health")]
        place = Place(servers.kafka, servers.operator, urls[0], urls[1], unique, servers.folder / unique)
        await provisioned(servers, place.folder, unique)
        async with connected(place.desk_url) as desk:
            await stamps.prepare_cases(desk, FACILITY, f"health_{unique}", referrals, keystore_of(place))
        return place

    def desk(self, place: Place) -> Child:
        return Child(
            "desk", python("bench.desk", f"police_{place.unique}", f"health_{place.unique}"),
            agency_environment(place.folder, place.kafka, place.desk_url), place.folder, is_ordered=True,
        )  # fmt: skip

    def relay(self, place: Place) -> Child:
        return self._worker("police", place, place.desk_url)

    def clinic(self, place: Place) -> Child:
        return self._worker("health", place, place.clinic_url)

    def _worker(self, kind: str, place: Place, url: str) -> Child:
        argv = refnet("worker", f"{kind}_{place.unique}")
        return Child(f"{kind}-worker", argv, agency_environment(place.folder, place.kafka, url), place.folder)

    async def fill(self, place: Place, events: int) -> None:
        async with connected(place.desk_url) as desk:
            await stamps.issue_many(desk, events, keystore_of(place))


def keystore_of(place: Place) -> Keystore:
    """The desk's, as its own processes have it."""
    environment = agency_environment(place.folder, place.kafka, place.desk_url)
    settings = Settings.model_validate({k: v for k, v in environment.items() if k.startswith(("REFNET_", "KAFKA_"))})
    settings.make_keystore(f"police_{place.unique}")
    return settings.keystore(f"police_{place.unique}")


def write_network(folder: Path, unique: str) -> None:
    """The demo's network under names of this pass's own, as `network.yaml` in the folder."""
    content = yaml.safe_load((Path(services.demo.__file__).parent / "network.yaml").read_text())
    content |= {
        "purpose": "test",
        "agencies": {f"{kind}_{unique}": content["agencies"][kind] for kind in KINDS},
        "pairs": [[f"{a}_{unique}", f"{b}_{unique}"] for a, b in content["pairs"]],
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "network.yaml").write_text(yaml.safe_dump(content))


async def provisioned(servers: Servers, folder: Path, unique: str) -> None:
    """A network of this pass's own, with its topics and users, as the broker's operator makes them."""
    write_network(folder, unique)
    environment = agency_environment(folder, servers.kafka, "sqlite:///") | variables_of(servers.operator)
    await provision(Settings.model_validate({k: v for k, v in environment.items() if k.startswith(("REFNET_", "KAFKA_"))}))


def agency_environment(folder: Path, kafka: str, url: str) -> dict[str, str]:
    """What a process of an agency is given."""
    return {
        **plain_environment(), "REFNET_HOME": str(folder), "REFNET_NETWORK": str(folder / "network.yaml"),
        "KAFKA_BOOTSTRAP_SERVERS": kafka, "REFNET_DATABASE_URL": url,
    }  # fmt: skip


def migrated(kind: str) -> Any:
    """How a template of an agency's database is made."""

    async def build(url: str) -> None:
        parts, database = parts_of(AgencyKind(kind)), Database(url)
        await migrate(database, parts.migrations, f"{parts.kind}_")
        await database.close()

    return build


@contextlib.asynccontextmanager
async def connected(url: str) -> AsyncIterator[Any]:
    """A plain connection, for setting up and for looking."""
    connection = await asyncpg.connect(url)
    try:
        yield connection
    finally:
        await connection.close()


async def _execute(url: str, statements: str) -> None:
    async with connected(url) as connection:
        await connection.execute(statements)
