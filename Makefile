# The two commands that matter are `make demo` and `make test`; `make help` lists the rest.
# Nothing but Python and make is expected: everything else goes into .venv from the locked requirements.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
# -n 2: two cores; loadfile keeps a module's expensive fixtures in one worker; tests/conftest.py says which modules begin, because
# one that takes minutes and comes last keeps the other core idle.
PYTEST := $(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

.DEFAULT_GOAL := help
.PHONY: help demo test test-long check types unit bench bench-peers broker-dies broker-wiped database-restored simulate screens servers lock clean

help: ## list these targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | awk -F '\t' '{printf "  make %-18s %s\n", $$1, $$2}'

demo: $(VENV)/.run ## three agencies and one synthetic survivor on this machine, until Ctrl-C
	@$(BIN)/refnet demo $(DEMO)

test: $(VENV)/.dev ## everything but the long tier, on real Kafka and real PostgreSQL
	@$(MAKE) --no-print-directory -j 2 servers check  # what is still to be installed comes while types and units are checked
	@$(PYTEST) -m "not long and not bench" --ignore=tests/unit  # which `check` has just run

test-long: $(VENV)/.dev servers ## the long tier: all fault tests, those of `make test` too, and many seeds
	@$(BIN)/python -m pytest -v tests/faults  # one after the other: they take the machine's disk, brokers and both cores
	@$(PYTEST) -m long -v --ignore=tests/faults

check: $(VENV)/.dev ## lint, format, types, import rules and unit tests: two minutes, starts nothing
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(MAKE) --no-print-directory $(if $(findstring -j,$(MAKEFLAGS)),,-j 2) types unit

# Side by side: mypy takes one core for as long as the unit tests take two. `test` has said how many work at once, or `check` does.
types: $(VENV)/.dev
	@$(BIN)/mypy services shared $(wildcard bench) tests
	@$(BIN)/lint-imports --no-logo

unit: $(VENV)/.dev
	@$(BIN)/python -m pytest -q -n 2 -m "not long" --no-header --durations=0 --durations-min=1 tests/unit

bench: $(VENV)/.dev servers ## the benchmarks, each beside its raw limit; writes bench/results.json
	@$(BIN)/python -m bench

bench-peers: $(VENV)/.dev servers ## the same against Debezium and a REST hop
	@$(BIN)/python -m bench.peers

broker-dies: $(VENV)/.dev servers ## one broker of three is killed while agencies work: says what happens
	@$(BIN)/python -m pytest -q -s --no-header -p no:randomly --durations=0 --durations-min=9999 \
		tests/faults/test_one_broker_of_three_dies.py::test_one_broker_of_three_dies_under_load_and_nothing_is_lost_or_doubled

broker-wiped: $(VENV)/.dev servers ## the broker loses everything with 1,000 referrals on their way: says what happens
	@$(BIN)/python -m pytest -q -s --no-header -p no:randomly --durations=0 --durations-min=9999 \
		"tests/faults/test_broker_wiped.py::test_a_wiped_broker_costs_time_and_nothing_else[1000-False]"

database-restored: $(VENV)/.dev servers ## the police's database is destroyed and yesterday's put back: says what happens
	@$(BIN)/python -m pytest -q -s --no-header -p no:randomly --durations=0 --durations-min=9999 \
		"tests/faults/test_database_restored.py::test_a_restored_backup_ends_as_if_nothing_had_been_lost[postgresql]"

SCHEDULES ?= 10000
simulate: $(VENV)/.dev ## the exchange under ten thousand seeded schedules of faults; SEED=n replays one
	@PYTHONPATH=. $(BIN)/python tests/simulator/run.py $(if $(SEED),--seed $(SEED),--schedules $(SCHEDULES))

screens: $(VENV)/.dev servers ## take the pictures of docs/screens again
	@rm -f docs/screens/*.png && REFNET_SCREENS=docs/screens $(BIN)/python -m pytest -q -m long -k thorough tests/browser/test_every_page.py

servers: ## install what the tests need besides Python (PostgreSQL, Java, Maven, npm)
	@scripts/install-test-servers

lock: ## write the locked requirements again, from pyproject.toml
	@scripts/lock

clean: ## remove what these targets made
	rm -rf $(VENV) .refnet .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis

# The stamps are newer than the locks that they were made from, so that a venv is made again only when its lock changed.
$(VENV)/.run: requirements/run.txt pyproject.toml scripts/install-venv
	@scripts/install-venv $(PYTHON) $(VENV) run

$(VENV)/.dev: requirements/dev.txt pyproject.toml scripts/install-venv
	@scripts/install-venv $(PYTHON) $(VENV) dev
