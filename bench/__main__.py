"""Measures the project beside its raw limit on a real Kafka and a real PostgreSQL with fsync, and prints the ratios.

The two take turns, and each figure is a median over the rounds, so that a machine that slows down slows both.
"""

import logging
import os
import platform
import sys
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from statistics import median, quantiles
from typing import Any

import uvloop
from aiokafka.errors import KafkaError

from bench import flow, pages
from bench.footprint import READY_LIMIT_S, RSS_LIMIT_MB, footprint
from bench.growth import LETTER_LIMIT, growth
from bench.pipes import Ours, Pipe, Raw
from bench.report import RESULTS, Result, of_part, publish, result, say, table, write
from bench.servers import Servers, servers
from bench.sizes import Sizes, chosen
from shared.kit.errors import RefnetError

INTERRUPTED = 130  # what a shell expects after Ctrl-C
OURS, RAW = Ours(), Raw()

Part = Callable[[Servers, Sizes], Awaitable[list[Result]]]


async def measure_throughput(place: Servers, sizes: Sizes) -> list[Result]:
    """Referrals a second through the project's own command and handlers, sixteen clients at the desk."""
    ours, raw = await _in_turn(
        "throughput", sizes, lambda pipe: flow.throughput(pipe, place, sizes.referrals_raw if pipe is RAW else sizes.referrals)
    )
    return [result("exchange_throughput", median(ours), median(raw), "referrals/s")]


async def measure_latency(place: Servers, sizes: Sizes) -> list[Result]:
    """From the desk's commit to the clinic's, of a steady stream."""
    ours, raw = await _in_turn("latency", sizes, lambda pipe: flow.latencies_ms(pipe, place, sizes.steady_s))
    return [
        result("latency_p50", median(map(median, ours)), median(map(median, raw)), "ms"),
        result("latency_p99", median(map(p99, ours)), median(map(p99, raw)), "ms"),
    ]


async def measure_drain(place: Servers, sizes: Sizes) -> list[Result]:
    """A backlog through relay, wire and inbox, and the memory that it takes on the way."""
    ours, raw = await _in_turn(
        "drain", sizes, lambda pipe: flow.drain(pipe, place, sizes.backlog_raw if pipe is RAW else sizes.backlog)
    )
    late, early = median(one.late_mb for one in ours), median(one.early_mb for one in ours)
    return [
        result("drain_throughput", median(one.per_s for one in ours), median(one.per_s for one in raw), "events/s"),
        result("drain_memory_growth", late, early, "MB"),
    ]


async def measure_growth(place: Servers, sizes: Sizes) -> list[Result]:
    """Pages of a big agency beside those of a small one; the figure is that of the page that grows most."""
    found, letter = await growth(place, sizes.small, sizes.big, sizes.looks)
    for one in found:
        say(f"growth of {one.page}: p50 {one.small_p50:.1f} → {one.big_p50:.1f} ms, p99 {one.small_p99:.1f} → {one.big_p99:.1f} ms")
    by_p99 = max(found, key=lambda one: one.big_p99 / one.small_p99)
    by_p50 = max(found, key=lambda one: one.big_p50 / one.small_p50)
    return [
        result("growth_p99", by_p99.big_p99, by_p99.small_p99, "ms"),
        result("growth_p50", by_p50.big_p50, by_p50.small_p50, "ms"),
        result("reconcile_payload", letter, LETTER_LIMIT, "bytes"),
    ]


async def measure_pages(place: Servers, sizes: Sizes) -> list[Result]:
    """The slowest page of each kind of agency beside the limit."""
    found = []
    for kind in ("police", "health", "social_welfare"):
        count, slowest, worst = await pages.page_times(kind, place.database(), sizes.pages)
        say(f"{count} pages of {kind} with {sizes.pages:,} referrals: the slowest is {slowest}, p99 {worst:.1f} ms")
        found.append(result(f"pages_p99_{kind}", worst, pages.PAGE_LIMIT_MS, "ms"))
    return found


async def measure_footprint(place: Servers, sizes: Sizes) -> list[Result]:
    """One agency in one process that nobody uses."""
    rss, ready = await footprint(place, sizes.starts)
    return [result("footprint_rss", rss, RSS_LIMIT_MB, "MB"), result("ready_s", ready, READY_LIMIT_S, "s")]


PARTS: dict[str, Part] = {
    "throughput": measure_throughput,
    "latency": measure_latency,
    "drain": measure_drain,
    "footprint": measure_footprint,
    "growth": measure_growth,
    "pages": measure_pages,
}


async def _in_turn(name: str, sizes: Sizes, measure: Callable[[Pipe], Coroutine[Any, Any, Any]]) -> tuple[list[Any], list[Any]]:
    ours: list[Any] = []
    raw: list[Any] = []
    for number in range(1, sizes.rounds + 1):
        for pipe, kept in ((RAW, raw), (OURS, ours)):
            kept.append(await measure(pipe))
            say(f"{name}, round {number} of {sizes.rounds}, {pipe.name}: {told(kept[-1])}")
    return ours, raw


def told(figure: Any) -> str:
    """A pass's figure for the progress line."""
    if isinstance(figure, list):
        return f"p50 {median(figure):.1f} ms, p99 {p99(figure):.1f} ms of {len(figure)} referrals"
    if isinstance(figure, flow.Drained):
        return f"{figure.per_s:,.0f} events/s, {figure.early_mb:.0f} → {figure.late_mb:.0f} MB"
    return f"{figure:,.0f} referrals/s"


def p99(times: Sequence[float]) -> float:
    """The 99th percentile."""
    return quantiles(times, n=100)[98]


async def _measure(place: Servers, sizes: Sizes, names: Sequence[str]) -> list[Result]:
    found = []
    for name in names:
        found += await PARTS[name](place, sizes)
    return found


def run(part: str, work: Callable[[], Coroutine[Any, Any, list[Result]]]) -> int:
    """Runs a bench: 0 with figures, 1 with one sentence that says why there are none."""
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # a fresh broker's first group is looked up twice, and logged
    try:
        results = uvloop.run(work())
    except RefnetError as error:
        return refuse(str(error))
    except KafkaError as error:
        return refuse(f"The broker did not do its part ({type(error).__name__}); see that it runs, then try again.")
    except TimeoutError:
        return refuse("A pass did not end in time, so there are no figures; try again when the machine is less busy.")
    except KeyboardInterrupt:
        return INTERRUPTED
    kept = of_part(part, write(results))
    words = f"last run: {os.cpu_count()} cores, Python {platform.python_version()}; of all rows, load average "
    loads = [one.load_average for one in kept]
    words += f"{min(loads):.1f} – {max(loads):.1f}"
    publish(part, kept, f"{words}.")
    print(table(results))
    print(f"{words}; written to {RESULTS.parent.name}/{RESULTS.name}")
    return 0


def main(argv: Sequence[str]) -> int:
    """`python -m bench [PART …]`: all parts, or those named."""
    unknown = [name for name in argv if name not in PARTS]
    if unknown:
        return refuse(f"There is no part '{unknown[0]}'; the parts are {', '.join(PARTS)}.")

    async def work() -> list[Result]:
        sizes = chosen()
        with servers() as place:
            return await _measure(place, sizes, argv or list(PARTS))

    return run("bench", work)


def refuse(sentence: str) -> int:
    """One sentence on standard error; 1."""
    print(sentence, file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
