"""What every test may ask for: addresses of real servers, fresh databases and names that nobody else uses."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import cast
from zlib import crc32

import pytest
from agencies import World
from hypothesis import HealthCheck, settings
from schema import as_application, empty, postgres_at_head, shared_postgres_at_head, sqlite_at_head
from servers import Address, Desk, Kafka, KafkaClusterFactory, KafkaNodeFactory, Servers, What, ask
from signing_in import CHEAP, at_cost

from shared.casework.accounts.credentials import FULL_COST
from shared.kit.collector import calm_collector
from shared.kit.local.cache import default_cache
from shared.kit.local.kafka import KafkaNode
from shared.kit.local.kafka_cluster import KafkaCluster
from shared.kit.local.postgres import PostgresCluster
from shared.kit.local.postgres_databases import PostgresDatabases

# How long a draw takes says how busy the machine is, and nothing of what is tested.
settings.register_profile("whatever the machine does", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("whatever the machine does")

servers_key = pytest.StashKey[Servers]()
desk_key = pytest.StashKey[Desk]()


def pytest_configure(config: pytest.Config) -> None:
    if hasattr(config, "workerinput"):
        return  # an xdist worker: the leader owns the servers
    config.stash[servers_key] = Servers()
    config.stash[desk_key] = Desk(config.stash[servers_key])


def pytest_unconfigure(config: pytest.Config) -> None:
    if servers_key in config.stash:
        config.stash[desk_key].close()
        config.stash[servers_key].stop()


class ForWorkers:
    """xdist's side: tells each worker where the leader's desk is."""

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: object) -> None:
        config: pytest.Config = node.config  # type: ignore[attr-defined]  # xdist has no types
        node.workerinput["servers"] = config.stash[desk_key].access  # type: ignore[attr-defined]


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    pluginmanager.register(ForWorkers(), "refnet-servers-for-workers")


def _address(config: pytest.Config, what: What) -> Address:
    worker = getattr(config, "workerinput", None)
    return ask(worker["servers"], what) if worker is not None else config.stash[servers_key].address(what)


@pytest.fixture(scope="session")
def kafka(pytestconfig: pytest.Config) -> Kafka:
    """A real Kafka that all tests share; take `unique` into the names of agencies, topics and groups."""
    return cast(Kafka, _address(pytestconfig, "kafka"))


@pytest.fixture(scope="session")
def postgres(pytestconfig: pytest.Config) -> PostgresDatabases:
    """The shared server: make databases on it, from templates, but do not stop it."""
    return cast(PostgresDatabases, _address(pytestconfig, "postgres"))


@pytest.fixture
def postgres_url(postgres: PostgresDatabases) -> Iterator[str]:
    """An empty database of this test's own, `postgresql://…`."""
    url = postgres.fresh_database()
    yield url
    postgres.drop_database(url.rpartition("/")[2])


@pytest.fixture
def two_databases(postgres: PostgresDatabases) -> Iterator[list[str]]:
    """A desk's and a clinic's of this test's own, at the newest schema that all kinds share."""
    urls = [shared_postgres_at_head(postgres) for _ in range(2)]
    yield urls
    for url in urls:
        postgres.drop_database(url.rpartition("/")[2])


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database of this test's own, once on each kind that the project runs on."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'test.db'}"
    return cast(str, request.getfixturevalue("postgres_url"))


@pytest.fixture
def kafka_node_factory(tmp_path: Path) -> Iterator[KafkaNodeFactory]:
    """Kafka nodes of this test's own, to kill, restart and wipe."""
    nodes: list[KafkaNode] = []

    def start(**options: object) -> KafkaNode:
        node = KafkaNode(tmp_path / f"kafka-{len(nodes)}", cache=default_cache(tmp_path), **options)  # type: ignore[arg-type]
        nodes.append(node)
        node.start()
        return node

    yield start
    for node in nodes:
        node.stop()


@pytest.fixture
def kafka_cluster_factory(tmp_path: Path) -> Iterator[KafkaClusterFactory]:
    """Clusters of three nodes of this test's own, to kill and restart one by one."""
    clusters: list[KafkaCluster] = []

    def start(**options: object) -> KafkaCluster:
        cluster = KafkaCluster(tmp_path / f"cluster-{len(clusters)}", cache=default_cache(tmp_path), **options)  # type: ignore[arg-type]
        clusters.append(cluster)
        cluster.start()
        return cluster

    yield start
    for cluster in clusters:
        cluster.kill()  # a clean end takes six seconds, for data that goes with the test


@pytest.fixture
def postgres_cluster() -> Iterator[PostgresCluster]:
    """A PostgreSQL of this test's own, to kill and restart."""
    with PostgresCluster(fsync=False) as cluster:
        yield cluster


@pytest.fixture
def unique() -> str:
    """A suffix that no other test or run has: not from `random`, which pytest-randomly seeds alike everywhere."""
    return secrets.token_hex(6)


@pytest.fixture(scope="session", autouse=True)
def cheap_secrets() -> Iterator[None]:
    """A thousand tests sign in, and few of them care what guessing a password would cost."""
    with at_cost(CHEAP):
        yield


@pytest.fixture
def full_cost() -> Iterator[None]:
    """Secrets cost what they cost in an agency."""
    with at_cost(FULL_COST):
        yield


AGENCIES = ("police", "health", "social_welfare")


@pytest.fixture(scope="session")
def databases_of_worlds(postgres: PostgresDatabases) -> Iterator[dict[str, str]]:
    """One for each agency, made by the first world and emptied after each."""
    urls: dict[str, str] = {}
    yield urls
    for url in urls.values():
        postgres.drop_database(url.rpartition("/")[2])


@pytest.fixture(params=["sqlite", "postgresql"])
async def world(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[World]:
    """Three agencies in this process, each with a database of its own, once on each kind; the lines are carried by hand."""
    if request.param == "sqlite":
        files = {agency: tmp_path / f"{agency}.db" for agency in AGENCIES}
        made = await World.make({agency: await asyncio.to_thread(sqlite_at_head, file, agency) for agency, file in files.items()})
        yield made
        await made.close()
        return
    urls: dict[str, str] = request.getfixturevalue("databases_of_worlds")
    for agency in AGENCIES if not urls else ():
        urls[agency] = await asyncio.to_thread(postgres_at_head, request.getfixturevalue("postgres"), agency)
    made = await World.make({agency: as_application(url) for agency, url in urls.items()})
    yield made
    await made.close()
    await asyncio.gather(*map(empty, urls.values()))


# Modules of many stories, and those of them that `make test` tells; the others are in the long tier, or it would take half an hour.
STORIES: dict[str, tuple[str, ...]] = {
    "test_zambia.py": ("test_a_girl_of_thirteen", "test_a_woman_is_served", ),
    "test_rwanda.py": ("test_calls_from_every_district", "test_one_unmanned_desk"),
    "test_bangladesh.py": ("test_from_a_thana",),
    "test_sierra_leone.py": (),
    "test_afghanistan.py": ("test_it_starts_on_no_network",),
    "test_latin_america.py": (),
    "test_stations.py": (
        "test_everything_is_numbered", "test_forty_hours_offline", "test_a_number_that_never_comes", "test_only_a_station",
    ),
    "test_oversight.py": (
        "test_a_protocol_is_published", "test_a_quarter_is_released", "test_after_a_long_story", "test_it_has_no_address",
        "test_whatever_else", "test_what_it_hears", "test_nobody_is_asked",
    ),
    "test_partners_and_justice.py": (
        "test_a_complaint_is_handed_over_in_time", "test_her_no_and_a_withdrawal", "test_the_prosecutor_is_told",
        "test_a_hearing_and_a", "test_an_examination_may_begin", "test_what_is_outside", "test_a_shelter_shows",
    ),
    "test_readiness.py": (),
    "test_replay.py": (),
    "test_kafka_cluster.py": (),
    "test_a_country_nobody_has_seen.py": (),
    "test_the_brokers_users.py": ("test_each_lane",),
}  # fmt: skip


def pytest_itemcollected(item: pytest.Item) -> None:
    """`make test` asks what is asked on both databases on one of them, and `make test-long` on the other: of pages, beneath which
    the two differ little, by a test's name; of all else on PostgreSQL, as ministries have it, where rows have guards of their own
    and many write at once. A test that names its database has it in both."""
    told = STORIES.get(item.path.name)
    if told is not None and not item.name.startswith(told):
        item.add_marker(pytest.mark.long)
    given = getattr(item, "callspec", None)
    kind = next((v for k, v in given.params.items() if k in ("world", "database_url", "pair", "url")), None) if given else None
    named = any({"world", "database_url"} & set(str(one.args[0]).split(",")) for one in item.iter_markers("parametrize"))
    if kind not in ("sqlite", "postgresql") or named:
        return
    of_a_page = item.path.parent.name == "pages"
    ours = ("sqlite", "postgresql")[crc32(item.nodeid.split("[")[0].encode()) % 2] if of_a_page else "postgresql"
    if kind != ours:
        item.add_marker(pytest.mark.long)


LONGEST = (  # modules of minutes, with few tests each: they begin, so that nobody waits for the last of them alone
    "test_replays.py", "test_every_page.py", "test_killed_between_steps.py", "test_simulator.py", "test_the_whole_journey.py",
    "test_broker_wiped.py", "test_database_restored.py", "test_live_pages.py", "test_any_story_ends_in_agreement.py",
    "test_canaries.py", "test_everything_published.py", "test_who_may_see_what.py", "test_one_broker_of_three_dies.py",
)  # fmt: skip


@pytest.hookimpl(trylast=True)  # after the order was shuffled
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    order = {name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: order.get(item.path.name, len(LONGEST)))


def pytest_collection_finish() -> None:
    """What was imported and collected stays to the end, and is not looked through again and again."""
    calm_collector()
