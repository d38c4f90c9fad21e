"""Time comes from the clock that is handed in (shared/kit/clock.py), so that a replay may hold the date, and a test move it.

Whoever asks the machine itself, or waits by it, is named here with the reason; what is named and does not any more fails too.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
ASKS = {
    "datetime.datetime.now", "datetime.datetime.utcnow", "datetime.datetime.today", "datetime.date.today", "time.time",
    "time.time_ns", "asyncio.sleep",
}  # fmt: skip
CERTIFICATES = "how long a certificate is good is judged by TLS, by the machine's clock"
KEYS = "an agency's keys are made and destroyed by the machine's clock, as Clock.real has it, whatever date a replay holds"
MIGRATION = "a migration has a connection and no clock"
CLIENT = "a client of agencies that run as processes of their own: it has no database, and waits for what is really on its way"
MAY = {
    "shared/kit/clock.py": "the clock itself",
    "shared/kit/local/kafka_certificates.py": CERTIFICATES,
    "shared/exchange/direct.py": CERTIFICATES,
    "shared/exchange/refusals.py": CERTIFICATES,
    "shared/casework/following/web.py": "a stream's looks, which nobody has moved to the clock yet",
    "services/cli.py": f"{CERTIFICATES}; {KEYS}",
    "services/doctor.py": CERTIFICATES,
    "services/key_commands.py": KEYS,
    "services/settings.py": KEYS,
    "services/staging.py": CERTIFICATES,
    "services/station_commands.py": KEYS,
    "services/demo/journey.py": CLIENT,
    "services/simulate/arriving.py": CLIENT,
    "services/simulate/client.py": CLIENT,
    "shared/casework/migrations/versions/0040_days_sealed.py": MIGRATION,
    "services/police/migrations/0006_complaints.py": MIGRATION,
    "services/police/migrations/0014_told_of_others.py": MIGRATION,
}


def named(tree: ast.Module) -> Iterator[str]:
    """What a module names of what it imports, by its full name."""
    names: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            of = f"{node.module}." if isinstance(node, ast.ImportFrom) else ""
            names |= {one.asname or one.name: of + one.name for one in node.names}
    for node in ast.walk(tree):
        if isinstance(node, ast.Name | ast.Attribute):
            first, dot, rest = ast.unparse(node).partition(".")
            yield names.get(first, "") + dot + rest


def test_only_these_ask_the_machine_for_the_time_or_wait_by_it() -> None:
    files = [file for folder in ("services", "shared") for file in (ROOT / folder).rglob("*.py")]
    found = {str(file.relative_to(ROOT)) for file in files if ASKS & set(named(ast.parse(file.read_text())))}
    assert found == set(MAY)
