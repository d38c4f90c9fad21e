"""Three agencies as processes on real Kafka, their people with password and card, and Debian's Chromium."""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from npm import installed
from people import chromium, hire
from processes import KINDS, ProcessNetwork, everyone_is_ready
from servers import Kafka
from town import Town

from shared.casework.pages.frame import ROOM
from shared.kit.ids import new_id


@pytest.fixture(scope="module")
def make_town(kafka: Kafka, tmp_path_factory: pytest.TempPathFactory) -> Callable[[], ProcessNetwork]:
    """A network of this module's own, set up and not started."""

    def make() -> ProcessNetwork:
        home: Path = tmp_path_factory.mktemp("town")
        urls = {kind: f"sqlite:///{home / kind}.db" for kind in KINDS}
        network = ProcessNetwork(home, kafka, new_id().hex[-12:], urls)
        asyncio.run(network.set_up())
        return network

    return make


@pytest.fixture(scope="module")
def town(make_town: Callable[[], ProcessNetwork]) -> Iterator[Town]:
    """The town at work."""
    network = make_town()
    cards = asyncio.run(hire(network))
    with network.running([(kind, "serve") for kind in KINDS]) as processes:
        everyone_is_ready(processes)
        with chromium() as browser:
            yield Town(network, processes, cards, browser)


@pytest.fixture(scope="module")
def axe() -> str:
    home = installed("pages-assets", ROOM / "assets", "build.mjs", "scripts", "styles", scripts=True)
    return (home / "node_modules" / "axe-core" / "axe.min.js").read_text()
