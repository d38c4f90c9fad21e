"""The named crash points that every event passes on its way, and how a process is killed at each."""

from collections.abc import Callable, Collection, Sequence

from desks import in_step
from processes import Process, until

# Every place between two durable steps, in the order of an event's way: desk, relay, broker, inbox, receipt. What comes home after
# a restore passes two more, at which test_database_restored.py kills.
STEPS = [
    "command.before_commit",
    "command.after_commit",
    "relay.before_number_commit",
    "relay.after_number_commit",
    "relay.before_send",
    "relay.after_send",
    "relay.after_mark",
    "inbox.before_commit",
    "inbox.after_commit",
    "inbox.before_offset_commit",
    "inbox.after_offset_commit",
    "statement.before_send",
    "statement.after_send",
    "statement.before_commit",
    "statement.after_commit",
]
STEPS_OF_DESKS = [step for step in STEPS if step.startswith("command.")]
STEPS_OF_WORKERS = [step for step in STEPS if step not in STEPS_OF_DESKS]


def die_at_each(victim: Process, steps: Sequence[str], everyone: Collection[Process], story: Callable[[], None]) -> None:
    """Kills a process at each of these steps, in a story of its own each, and tells one more when it lives. `story` looks after the
    dead while it waits; afterwards everything is signed for."""
    victim.kill()
    victim.points = iter(steps)
    victim.start()

    def all_in_step() -> bool:
        look(everyone)
        return in_step([process for process in everyone if process.role != "worker"])

    while len(victim.died_at) < len(steps):
        deaths = len(victim.died_at)
        story()
        until(all_in_step, "everything to be signed for")
        assert len(victim.died_at) > deaths, f"{victim.agency} never passed {victim.armed}"
    story()
    until(all_in_step, "everything to be signed for")
    assert victim.died_at == list(steps)


def look(everyone: Collection[Process]) -> None:
    """Whoever died at a step is started again."""
    for process in everyone:
        process.look()
