"""The real servers of one run: a Kafka, and a PostgreSQL that syncs every commit and keeps commit times."""

import asyncio
import contextlib
import os
import tempfile
import threading
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from bench.report import say
from services.settings import load_settings
from shared.exchange.access import Access
from shared.kit.local.broker import start_broker
from shared.kit.local.errors import LocalServerError
from shared.kit.local.postgres import PostgresCluster

KAFKA_VARIABLE = "KAFKA_BOOTSTRAP_SERVERS"  # a Kafka that is already there, as for the tests
COMMIT_TIMES = {"track_commit_timestamp": "on"}  # both ends of both pipes: what a referral's way is read from


@dataclass(frozen=True, slots=True)
class Servers:
    """What the passes of a run share. `kafka` is where agencies connect, and so does the raw pipe; the operator makes topics and
    users."""

    kafka: str
    operator: Access
    postgres: PostgresCluster
    folder: Path

    def database(self, template: str | None = None) -> str:
        """The address of a fresh database."""
        return self.postgres.fresh_database(template)

    def template(self, name: str, build: Callable[[str], Awaitable[None]]) -> str:
        """The name of a template, built once a run."""
        return self.postgres.template(name, lambda url: _apart(build, url))


def _apart(build: Callable[[str], Awaitable[None]], url: str) -> None:
    """Runs `build` on a loop of its own in a thread of its own: the run's loop waits meanwhile."""

    async def go() -> None:
        await build(url)

    failed: list[BaseException] = []

    def work() -> None:
        try:
            asyncio.run(go())
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    if failed:
        raise failed[0]


@contextlib.contextmanager
def servers(settings: Mapping[str, str] | None = None) -> Iterator[Servers]:
    """Starts both and takes both away; raises LocalServerError where there is no real Kafka."""
    say("starting Kafka and PostgreSQL")
    given = os.environ.get(KAFKA_VARIABLE)
    with tempfile.TemporaryDirectory(prefix="refnet-bench-") as folder:
        broker = start_broker("auto", bootstrap_servers=given, home=Path(folder), say=say)
        with broker, PostgresCluster(settings={**COMMIT_TIMES, **(settings or {})}) as postgres:
            if broker.forgets:
                raise LocalServerError("The benchmarks need a real Kafka. " + " ".join(broker.reasons))
            operator = Access(**asdict(broker.operator)) if broker.operator else load_settings().access()
            yield Servers(broker.bootstrap_servers, operator, postgres, Path(folder))
