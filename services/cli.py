"""The `refnet` command: a placeholder that says so until the agencies exist."""

import sys

USAGE_ERROR = 2


def main() -> None:
    """Says what is not there yet, in one sentence, and exits with a usage error."""
    sys.stderr.write(
        "refnet: the agencies are not built yet, so there is nothing to run; `make test` shows the exchange at work.\n"
    )
    sys.exit(USAGE_ERROR)
