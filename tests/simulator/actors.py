"""Actors of a simulated world: tasks that give way between transactions and while the network has their record in hand.

A schedule lets one of them go on at a time, in an order that its seed draws; a process that dies takes its actors with it.
"""

import asyncio
from collections.abc import Coroutine
from contextvars import ContextVar
from typing import Any

STEPS_MAX = 10_000  # of one actor: a work of the exchange takes some tens; more is a loop that never ends


class Died(BaseException):
    """The process dies here. No `except Exception` of the code under test may catch it."""


class Actor:
    """One piece of work of one process; it ends in peace with an error that is forgiven."""

    def __init__(self, work: Coroutine[Any, Any, Any], forgiven: tuple[type[Exception], ...] = ()) -> None:
        self._go = asyncio.Event()
        self._paused = asyncio.Event()
        self.steps = 0
        self._forgiven = forgiven
        self._task = asyncio.create_task(self._run(work))
        self._task.add_done_callback(lambda _: self._paused.set())
        self._task.add_done_callback(lambda _: work.close())  # of a process that dies before its first step

    async def _run(self, work: Coroutine[Any, Any, Any]) -> Any:
        CURRENT.set(self)
        await self.pause()
        try:
            return await work
        except self._forgiven:
            return None

    async def pause(self) -> None:
        """Gives way until the schedule lets this actor go on."""
        self._go.clear()
        self._paused.set()
        await self._go.wait()

    async def step(self) -> bool:
        """Lets it go on to its next pause; True where it has ended. Raises what the work raised, but for Died."""
        self.steps += 1
        if self.steps > STEPS_MAX:
            raise AssertionError("an actor never ends")
        self._paused.clear()
        self._go.set()
        await self._paused.wait()
        if not self._task.done():
            return False
        if not self._task.cancelled() and (error := self._task.exception()) is not None and not isinstance(error, Died):
            raise error
        return True

    async def finish(self) -> Any:
        """Lets it go on to its end; returns what the work returned, None where its process died."""
        await asyncio.sleep(0)
        while not await self.step():
            pass
        return None if self._task.cancelled() or self._task.exception() is not None else self._task.result()

    async def kill(self) -> None:
        """Its process is gone."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)


CURRENT: ContextVar[Actor | None] = ContextVar("actor", default=None)


async def give_way() -> None:
    """Where another actor may go first."""
    actor = CURRENT.get()
    if actor is not None:
        await actor.pause()
