"""Memory that is freed goes back, also where larger blocks were freed before it."""

import subprocess
import sys

# Blocks that have pages of their own, while one of a megabyte is held after one of eight was freed: glibc has learnt from that one
# to keep both in its heap.
LARGE_ONES_APART = """
import ctypes, sys
from shared.kit.heap import steady_heap
class Held(ctypes.Structure):  # malloc.h: struct mallinfo2
    _fields_ = [(name, ctypes.c_size_t) for name in
                "arena ordblks smblks hblks hblkhd usmblks fsmblks uordblks fordblks keepcost".split()]
held = ctypes.CDLL(None).mallinfo2
held.restype = Held
if sys.argv[1] == "steady":
    steady_heap()
before = held().hblks
large = bytearray(8_000_000)
del large
kept = bytearray(1_000_000)
print(held().hblks - before)
"""


def apart(how: str) -> int:
    return int(subprocess.run([sys.executable, "-c", LARGE_ONES_APART, how], check=True, capture_output=True, text=True).stdout)


def test_a_large_block_has_pages_of_its_own_whatever_was_freed_before_it() -> None:
    assert apart("steady") == 1
    assert apart("as glibc likes it") == 0, "glibc learns no more by itself: shared/kit/heap.py is not needed any longer"
