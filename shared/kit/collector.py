"""Python's collector of unreachable objects: its full pass stops a process for as long as it takes to look at all that is alive."""

import gc


def spare_what_is_loaded() -> None:
    """Full passes leave out what is alive now; called once, when a process begins to serve.

    Modules, routes and models are some 200,000 objects that stay to the end. Looking through them took 130 ms, for which
    somebody at a page waited. Nothing is collected before: ten of them were rubbish, and that pass takes 100 ms of the two seconds
    in which a process is ready. Templates are read at their first use; in every language they are 3,500 objects.
    """
    gc.freeze()
