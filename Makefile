# Everything runs from bare Python 3.11+ and make: `make demo` is the main job, `make test` the proof.
PYTHON ?= python3
PYTEST_ARGS ?=
# processes that run the tests on the real programs, each with a stack of its own: they mostly wait
WORKERS ?= 2
MINUTES ?= 60
SEED ?=
SPACING ?= 14
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# the longest files first: a worker that takes one last would work alone
OTHERS := $(filter-out %/__pycache__ %/kit %/unit %/soak %/simulation,$(patsubst %/,%,$(wildcard tests/*/)))
# the seeds' runs take every core, before
SEEDS := tests/simulation/test_seeds.py
ON_SERVERS = $(BIN)/python -m pytest tests/simulation $(OTHERS) --ignore=$(SEEDS) \
  -n $(WORKERS) --dist loadfile --no-loadscope-reorder

.DEFAULT_GOAL := help
.PHONY: help venv demo test test-long unit lint up down bench soak lock clean

help:
	@echo "make demo    the main job, from nothing to the report"
	@echo "make test    unit tests, then those on the real programs (PYTEST_ARGS=... WORKERS=2)"
	@echo "make test-long   what takes longer: disasters, failovers, large values, MariaDB in depth"
	@echo "make unit    unit tests only        make lint    style, types, import order"
	@echo "make up      start the local stack  make down    stop it"
	@echo "make bench   figures                make soak    the torture (MINUTES=60 SEED=...)"
	@echo "make lock    renew requirements.lock (needs uv)"
	@echo "make clean   remove what was built, with the local stack and its data"

venv: $(STAMP)

$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "Isthmus needs Python 3.11 or newer, but $(PYTHON) is $$($(PYTHON) --version 2>&1):" \
	       "run make PYTHON=python3.12 (or the like)" >&2; exit 2; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation -e .
	@touch $@

demo: venv
	$(BIN)/isthmus demo

unit: venv
	$(BIN)/python -m pytest tests/unit $(PYTEST_ARGS)

test: venv
	$(BIN)/python -m pytest tests/unit $(SEEDS) -q --durations=1
	$(ON_SERVERS) -m "not soak and not long" $(PYTEST_ARGS)

test-long: venv
	$(ON_SERVERS) -m long $(PYTEST_ARGS)

lint: venv
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

up: venv
	$(BIN)/isthmus up

down: venv
	$(BIN)/isthmus down

bench: venv
	$(BIN)/python -m benchmarks

soak: venv
	MINUTES=$(MINUTES) SEED=$(SEED) SPACING=$(SPACING) $(BIN)/python -m pytest tests/soak -m soak -rP $(PYTEST_ARGS)

lock:
	uv pip compile --quiet --generate-hashes --universal --python-version 3.11 --group dev \
	  --no-annotate --no-header -o requirements.lock pyproject.toml

clean:
	@test ! -f .isthmus/stack.json || $(BIN)/python -m pipeline.local_stack.guard --now .
	rm -rf .isthmus .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	rm -rf $(VENV) build dist reports
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
