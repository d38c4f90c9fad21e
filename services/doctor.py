"""What `refnet doctor` looks at: settings, network, broker, topics, and the databases that are on this machine."""

from typing import Any

from services.kinds import MODULES
from services.runtime import build, check_database
from services.settings import Settings
from shared.exchange.access import thin_topics, topics_of
from shared.kit.errors import RefnetError


async def examine(settings: Settings) -> list[dict[str, Any]]:
    """Findings in words, each with whether it is well."""
    findings: list[dict[str, Any]] = []

    def note(ok: bool, words: str) -> None:
        findings.append({"ok": ok, "words": words})

    try:
        network = settings.network()
    except RefnetError as error:
        note(False, str(error))
        return findings
    note(True, f"The network file names {len(network.agencies)} agencies, for a {network.purpose}.")
    try:
        missing = sorted(set(network.topics()) - await topics_of(settings.access()))
        words = (
            f"{len(missing)} topics are missing, such as {missing[0]}; run `refnet provision`."
            if missing
            else "Every topic is there."
        )
        note(not missing, f"The broker answers. {words}")
        if thin := await thin_topics(settings.access(), network.topics()):
            note(
                False,
                f"{len(thin)} topics, such as {thin[0]}, lie on fewer brokers than there are, so that one death stops them;"
                " give them more copies (docs/operating.md).",
            )
    except RefnetError as error:
        note(False, str(error))
    for agency, entry in network.agencies.items():
        if entry.kind in MODULES:
            await _database(settings, agency, note)
    return findings


async def _database(settings: Settings, agency: str, note: Any) -> None:
    try:
        made = build(settings, agency)
        await check_database(made)
        await made.database.close()
        note(True, f"{agency}: the database answers and has this version's schema.")
    except RefnetError as error:
        note(False, f"{agency}: {error}")
