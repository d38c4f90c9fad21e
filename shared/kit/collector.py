"""Python's collector of unreachable objects: each pass stops a process for as long as it takes to look at what is alive."""

import gc

YOUNG_OBJECTS_MAX = 2_000  # before a first pass; a long list makes some 2,500, and at Python's 700 most are looked at while in use


def no_collector() -> None:
    """No passes while a process starts: it makes what stays to the end, and looking through it took 450 ms of the two seconds in
    which it is ready."""
    gc.disable()


def calm_collector() -> None:
    """Full passes leave out what is alive now, and first ones come less often; called once, when a process begins to serve.

    Modules, routes and models are some 200,000 objects that stay to the end. Looking through them took 130 ms, for which
    somebody at a page waited. Nothing is collected before: ten of them were rubbish, and that pass takes 100 ms of the two seconds
    in which a process is ready. Templates are read at their first use; in every language they are 3,500 objects.
    """
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS_MAX)
    gc.enable()
