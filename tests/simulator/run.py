"""Runs many schedules on every core and prints how they ended; a seed that fails is printed, and replays alone with --seed."""

import argparse
import asyncio
import gc
import sqlite3
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from pathlib import Path

from schedule import Verdict, run
from sqlmodel import SQLModel
from world import folder

from services.kinds import MODULES, parts_of
from shared.casework.migrate import migrate
from shared.kit.db import Database

CHUNK = 25  # schedules a process takes at once
YOUNG_OBJECTS_MAX = 50_000  # before Python's collector looks for what does not go by itself: some 20 MB
_ = [parts_of(kind) for kind in MODULES]  # fills SQLModel.metadata with the tables of every kind


@cache
def empty_image() -> bytes:
    """A migrated database without rows."""
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "empty.db"

        async def make() -> None:
            database = Database(f"sqlite:///{path}")
            await migrate(database)
            async with database.write() as tx:  # every kind's own tables beside the shared ones: one image serves all agencies
                await (await tx.session.connection()).run_sync(SQLModel.metadata.create_all)
            await database.close()

        asyncio.run(make())
        with sqlite3.connect(path) as connection:
            connection.execute("PRAGMA journal_mode=DELETE")
            return connection.serialize()


def _calm() -> None:
    """A schedule makes some millions of objects that go by themselves: looking for others among them took an eighth of its time."""
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS_MAX)


def run_seeds(seeds: list[int], image: bytes) -> list[Verdict]:
    """Several schedules in this process."""
    return asyncio.run(_all(seeds, image))


async def _all(seeds: list[int], image: bytes) -> list[Verdict]:
    found = []
    with folder() as place:
        for seed in seeds:
            home = Path(place) / str(seed)
            try:
                found.append(await run(seed, image, home))
            except Exception as error:  # a schedule that breaks the code is a finding, whatever it is
                found.append(Verdict(seed, (f"{type(error).__name__}: {error}",), 0, 0))
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--schedules", type=int, default=10_000)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--seed", type=int, help="replay one seed, here, with what it raises")
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    image = empty_image()
    if options.seed is not None:
        with folder() as place:
            verdict = asyncio.run(run(options.seed, image, Path(place)))
        print("\n".join(verdict.faults) or "clean")
        return bool(verdict.faults)
    seeds = list(range(options.first, options.first + options.schedules))
    chunks = [seeds[i : i + CHUNK] for i in range(0, len(seeds), CHUNK)]
    started, done, said, restores, failed = time.monotonic(), 0, 0, 0, []
    with ProcessPoolExecutor(options.jobs, initializer=_calm) as pool:
        for verdicts in pool.map(run_seeds, chunks, [image] * len(chunks)):
            done += len(verdicts)
            said, restores = said + sum(v.said for v in verdicts), restores + sum(v.restores for v in verdicts)
            for verdict in verdicts:
                if verdict.faults:
                    failed.append(verdict.seed)
                    print(f"seed {verdict.seed}: {verdict.faults[0]} (and {len(verdict.faults) - 1} more)", flush=True)
            if sys.stderr.isatty():
                print(f"\r{done} of {len(seeds)}", end="", file=sys.stderr, flush=True)
    minutes = (time.monotonic() - started) / 60
    print(f"{done} schedules with {said} events and {restores} restores in {minutes:.1f} minutes: {len(failed)} failed")
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
