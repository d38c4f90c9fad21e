"""Writes the JSON Schema of every event version that is not published yet: `python -m shared.contracts.publish`.

A published version is never overwritten where that would break a reader: another shape is another version.
"""

import json
import sys
from pathlib import Path

from shared.contracts.casework import events

SCHEMAS = Path(__file__).parent / "schemas"
SAMPLES = Path(__file__).parent / "samples"


def published(event: type[events.Event]) -> dict[str, object] | None:
    """The published schema of an event, or None where there is none yet."""
    path = SCHEMAS / events.file_name(event)
    return json.loads(path.read_text()) if path.exists() else None


def main() -> int:
    """Writes what is new and says what may not be written."""
    refused = False
    for event in events.EVENTS:
        present, before = events.json_schema(event), published(event)
        if before is not None and (found := events.breaks(before, present)):
            refused = True
            sys.stderr.write(f"{event.type} v{event.version} would break its readers: {'; '.join(found)}. Give it a new version.\n")
            continue
        (SCHEMAS / events.file_name(event)).write_text(json.dumps(present, indent=1, sort_keys=True) + "\n")
    return int(refused)


if __name__ == "__main__":
    sys.exit(main())
