"""What the C library keeps of memory that nobody uses any more, beneath Python's own small objects."""

import ctypes

# glibc's malloc.h; mallopt(3)
M_MMAP_THRESHOLD, M_ARENA_MAX = -3, -8
LARGE_BYTES = 128 * 1024  # glibc's own figure to begin with; what is larger has pages of its own, which go back when it is freed
ARENAS_MAX = 2  # heaps, however many threads there are: the loop's, and one that all that wait for a disk share


def steady_heap() -> None:
    """Has large blocks given back when they are freed; called once, before there are threads. Elsewhere than on glibc: nothing.

    What comes from the broker comes in large blocks. glibc learns from the first that is freed to keep such blocks in its heap,
    between small ones that stay, in a heap for each thread: over a backlog of 100,000 events what lay free in them grew from 5 to
    25 MB in a process whose objects did not grow. Of a size that it was told it learns nothing.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(M_ARENA_MAX, ARENAS_MAX)
        mallopt(M_MMAP_THRESHOLD, LARGE_BYTES)
