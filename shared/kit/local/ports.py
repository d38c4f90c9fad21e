"""Finds ports on the loopback address that a server can keep over a crash and a restart."""

import random
import socket
from contextlib import ExitStack

LOOPBACK = "127.0.0.1"

# Below the range that kernels give to outgoing connections: inside it, another program could be handed the port while a
# killed server is away, and a client that keeps retrying can even end up connected to itself.
PORT_FIRST = 20_000
PORT_LAST = 31_999
ATTEMPTS_MAX = 200  # tries per port; only a machine with thousands of listeners comes near

_random = random.SystemRandom()  # seeded test runs must not all try the same ports in the same order


def free_ports(count: int) -> list[int]:
    """Different ports, free a moment ago. Another process may still win the race for one: be ready to retry."""
    with ExitStack() as held:  # all at once, so that none is given twice
        return [held.enter_context(_bind_any()).getsockname()[1] for _ in range(count)]


def _bind_any() -> socket.socket:
    for _ in range(ATTEMPTS_MAX):
        candidate = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            candidate.bind((LOOPBACK, _random.randint(PORT_FIRST, PORT_LAST)))
        except OSError:
            candidate.close()
        else:
            return candidate
    raise OSError(f"no free port between {PORT_FIRST} and {PORT_LAST} on {LOOPBACK}")
