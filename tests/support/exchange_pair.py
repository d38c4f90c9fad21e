"""What the exchange suite's `pair` fixture gives."""

from typing import NamedTuple

from exchange_node import Node

from shared.kit.clock import ManualClock


class Pair(NamedTuple):
    """The desk, the clinic, and the clock on both their walls."""

    police: Node
    health: Node
    clock: ManualClock
