"""`make bench-peers`: Debezium's outbox router in the relay's place, and a direct REST hop, beside ours in one run."""

import sys
from collections.abc import Sequence
from statistics import median

from bench import flow
from bench.__main__ import p99, refuse, run, told
from bench.children import rss_mb
from bench.footprint import resting
from bench.peers.debezium import SERVER_SETTINGS, Debezium, fetch_debezium
from bench.peers.rest import Rest
from bench.pipes import Ours, Pipe, Raw
from bench.report import Result, result, say
from bench.servers import Servers, servers
from bench.sizes import Sizes, chosen


async def _steady(place: Servers, sizes: Sizes) -> list[Result]:
    """Latency at a steady rate, in turn, and what the two relays hold in memory at the end of it."""
    pipes: Sequence[Pipe] = (Raw(), Debezium(), Rest(), Ours())
    p50s: dict[str, list[float]] = {pipe.name: [] for pipe in pipes}
    p99s: dict[str, list[float]] = {pipe.name: [] for pipe in pipes}
    held: dict[str, list[float]] = {pipe.name: [] for pipe in pipes}

    def look(made: flow.Line) -> None:
        held[made.pipe.name].append(rss_mb(made.relay.pid))

    for number in range(1, sizes.rounds + 1):
        for pipe in pipes:
            times = await flow.latencies_ms(pipe, place, sizes.steady_s, at_end=look)
            p50s[pipe.name].append(median(times))
            p99s[pipe.name].append(p99(times))
            say(f"steady, round {number} of {sizes.rounds}, {pipe.name}: {told(times)}, relay {held[pipe.name][-1]:.0f} MB")
    ours, theirs = "exchange", "debezium"
    web = await resting(place, "web")
    return [
        result("debezium_p50", median(p50s[ours]), median(p50s[theirs]), "ms"),
        result("debezium_p99", median(p99s[ours]), median(p99s[theirs]), "ms"),
        result("debezium_memory", await resting(place, "serve") - web, median(held[theirs]), "MB"),
        result("debezium_memory_apart", median(held[ours]), median(held[theirs]), "MB"),
        result("rest_p50", median(p50s[ours]), median(p50s["rest"]), "ms"),
        result("rest_p99", median(p99s[ours]), median(p99s["rest"]), "ms"),
    ]


async def _outage(place: Servers, sizes: Sizes) -> list[Result]:
    """What is lost when the recipient is stopped for a while: nothing of ours, and of the REST hop what its retries do not span."""
    lost = {}
    for pipe in (Ours(), Rest()):
        lost[pipe.name] = await flow.outage(pipe, place, sizes.outage_s)
        say(f"recipient stopped for {sizes.outage_s} s, {pipe.name}: {lost[pipe.name]} referrals lost")
    return [result("rest_lost", lost["exchange"], lost["rest"], "referrals")]


PARTS = {"steady": _steady, "outage": _outage}


def main(argv: Sequence[str]) -> int:
    """`python -m bench.peers [PART …]`: both parts, or the one named."""
    unknown = [name for name in argv if name not in PARTS]
    if unknown:
        return refuse(f"There is no part '{unknown[0]}'; the parts are {', '.join(PARTS)}.")

    async def work() -> list[Result]:
        sizes = chosen()
        fetch_debezium()
        with servers(SERVER_SETTINGS) as place:
            return [one for name in argv or PARTS for one in await PARTS[name](place, sizes)]

    return run("bench-peers", work)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
