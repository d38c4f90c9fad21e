"""Measures the exchange and its raw limit in turn on a real Kafka and a real PostgreSQL with fsync, and prints the ratios.

The two alternate, and each figure is a median over the rounds, so that a machine that slows down slows both.
"""

import asyncio
import logging
import os
import sys
import tempfile
from collections.abc import Callable, Coroutine
from pathlib import Path
from statistics import median
from typing import Any, TypeVar

from aiokafka.errors import KafkaError

from bench import exchange, raw
from bench.pages import REFERRALS, page_times
from bench.report import RESULTS, Result, result, say, table, write
from bench.workload import EVENTS, LATENCY_SAMPLES, SUBJECTS, Place
from shared.kit.errors import RefnetError
from shared.kit.local.broker import Broker, start_broker
from shared.kit.local.errors import LocalServerError
from shared.kit.local.postgres import PostgresCluster

ROUNDS = 3  # the fewest that have a median
KAFKA_VARIABLE = "KAFKA_BOOTSTRAP_SERVERS"  # a Kafka that is already there, as for the tests
INTERRUPTED = 130  # what a shell expects after Ctrl-C

T = TypeVar("T")


def main() -> int:
    """0 with figures, 1 with one sentence that says why there are none."""
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # a fresh broker's first group is looked up twice, and logged
    try:
        with tempfile.TemporaryDirectory(prefix="refnet-bench-") as home:
            _measure(Path(home))
    except RefnetError as error:
        return _refuse(str(error))
    except KafkaError as error:
        return _refuse(f"The broker did not do its part ({type(error).__name__}); see that it runs, then try again.")
    except TimeoutError:
        return _refuse("A pass did not end in time, so there are no figures; try again when the machine is less busy.")
    except KeyboardInterrupt:
        return INTERRUPTED
    return 0


def _measure(home: Path) -> None:
    load = os.getloadavg()[0]  # before we load the machine ourselves: it tells whether somebody else did
    say("starting Kafka and PostgreSQL")
    given = os.environ.get(KAFKA_VARIABLE)
    with (
        _real(start_broker("auto", bootstrap_servers=given, home=home, say=say)) as broker,
        PostgresCluster(fsync=True) as postgres,
    ):
        results = _figures(broker.bootstrap_servers, postgres, load)
    print(table([(one, "lower is better" if one.unit == "ms" else "higher is better") for one in results]))
    print(f"load average before the run {load:.2f}; medians of {ROUNDS} rounds; written to {RESULTS.parent.name}/{RESULTS.name}")
    write(results)


def _real(broker: Broker) -> Broker:
    if broker.forgets:
        broker.stop()
        raise LocalServerError("The benchmarks need a real Kafka. " + " ".join(broker.reasons))
    return broker


def _figures(kafka: str, postgres: PostgresCluster, load: float) -> list[Result]:
    say(f"saying {EVENTS:,} events")
    full = {
        exchange: postgres.template("exchange_full", lambda url: _run(exchange.fill(url, EVENTS, SUBJECTS))),
        raw: postgres.template("raw_full", lambda url: _run(raw.fill(url, EVENTS))),
    }
    empty = {
        exchange: postgres.template("exchange_empty", lambda url: _run(exchange.prepare(url))),
        raw: postgres.template("raw_empty", lambda url: _run(raw.prepare(url))),
    }

    def place(pipe: Any, sources: dict[Any, str]) -> Place:
        return Place(kafka, postgres.fresh_database(sources[pipe]), postgres.fresh_database(empty[pipe]))

    rates: dict[Any, list[float]] = {exchange: [], raw: []}
    waits: dict[Any, list[float]] = {exchange: [], raw: []}
    for number in range(1, ROUNDS + 1):
        for pipe, name in ((exchange, "exchange"), (raw, "raw")):
            waits[pipe].append(median(_run(pipe.latencies_ms(place(pipe, empty), LATENCY_SAMPLES))))
            rates[pipe].append(_run(pipe.throughput(place(pipe, full), EVENTS)))
            say(f"round {number} of {ROUNDS}, {name}: {rates[pipe][-1]:,.0f} events/s, p50 {waits[pipe][-1]:.2f} ms")
    shown = [_pages(kind, postgres.fresh_database(), load) for kind in ("police", "health", "social_welfare")]
    return [
        *shown,
        result("exchange_throughput", median(rates[exchange]), median(rates[raw]), "events/s", load),
        result("latency_p50", median(waits[exchange]), median(waits[raw]), "ms", load),
    ]


def _pages(kind: str, url: str, load: float) -> Result:
    slowest, worst, read = _run(page_times(kind, url))
    say(f"pages of {kind} with {REFERRALS:,} referrals: the slowest is {slowest}, p99 {worst:.1f} ms")
    return result(f"pages_p99_{kind}", worst, read, "ms", load)


def _run(work: Coroutine[Any, Any, T]) -> T:
    """On a loop of its own, so that nothing of one pass is left in the next; on uvloop where the services run on it."""
    factory: Callable[[], asyncio.AbstractEventLoop] | None = None
    if sys.platform != "win32":
        import uvloop

        factory = uvloop.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        return runner.run(work)


def _refuse(sentence: str) -> int:
    print(sentence, file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
