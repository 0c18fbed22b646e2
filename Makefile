# Everything a person does in this repository. `make` alone lists it.

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.locked

# The first Python that really runs: a version manager's shim may exist without its Python.
PYTHON ?= $(shell for name in python3.11 python3.12 python3.13 python3; do \
	$$name -c 'import sys, venv; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' \
	>/dev/null 2>&1 && { echo $$name; break; }; done)

# Settings of this shell must not change what the lock file installs.
PIP := env -u PIP_FIND_LINKS -u PIP_NO_BINARY -u PIP_CONSTRAINT -u PIP_REQUIRE_VIRTUALENV \
	$(BIN)/python -m pip --disable-pip-version-check

DEMO_ARGS ?= deploy/demo/recording.jsonl.zst
TEST_ARGS ?=
BENCH_ARGS ?=
BENCH_KAFKA_ARGS ?=
BENCH_LIVE_ARGS ?=
KAFKA_ARGS ?=
STACK_ARGS ?=
IMAGE_CHECK_ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help setup demo test lint format bench scenarios kafka stack image-check crash faults proto lock clean

help: ## list what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(STAMP) ## make .venv with the locked packages and this one

$(STAMP): requirements-dev.lock
	@if [ -z "$(PYTHON)" ]; then \
		echo "No Python 3.11, 3.12 or 3.13 with the venv module was found." >&2; \
		echo "Install one (on Debian: apt-get install python3 python3-venv), or name it: make setup PYTHON=/path/to/python3.12" >&2; \
		exit 1; \
	fi
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || { \
		echo "$(PYTHON) is not Python 3.11, 3.12 or 3.13; name another: make setup PYTHON=python3.12" >&2; exit 1; }
	$(PYTHON) -m venv --clear $(VENV)
	$(PIP) install --quiet --require-hashes --requirement requirements-dev.lock
	$(PIP) install --quiet --no-deps --no-build-isolation --editable .
	@touch $(STAMP)

demo: $(STAMP) ## replay a recorded incident and show what is found
	$(BIN)/hubblewatch replay $(DEMO_ARGS)

test: $(STAMP) ## run the tests
	$(BIN)/python -m pytest $(TEST_ARGS)

lint: $(STAMP) ## check style, format, types and import direction
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

format: $(STAMP) ## put the code into its format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(STAMP) ## measure the speed of the pipeline
	$(BIN)/python -m tests.bench.run $(BENCH_ARGS)
	$(BIN)/python -m tests.bench.kafka $(BENCH_KAFKA_ARGS)
	$(BIN)/python -m tests.bench.live $(BENCH_LIVE_ARGS)
	$(BIN)/python -m tests.bench.state $(BENCH_STATE_ARGS)

scenarios: $(STAMP) ## judge detection on all simulated scenarios, an hour
	$(BIN)/python -m pytest tests/scenarios/full.py
	$(BIN)/python -m tests.scenarios.lowest

kafka: $(STAMP) ## run a Kafka broker in the foreground
	$(BIN)/python -m deploy.local.kafka $(KAFKA_ARGS)

stack: $(STAMP) ## run Kafka, the worker, Prometheus and Alertmanager on this machine
	$(BIN)/python -m deploy.local.stack $(STACK_ARGS)

image-check: $(STAMP) ## build the image with Docker or Podman, and try it
	$(BIN)/python -m deploy.local.image $(IMAGE_CHECK_ARGS)

PROTO := service/hubblewatch/source/hubble/proto
proto: $(STAMP) ## make Hubble's messages anew from their .proto files
	$(BIN)/python -m grpc_tools.protoc --proto_path=service --python_out=service --pyi_out=service $(PROTO)/*.proto

crash: $(STAMP) ## kill workers and the broker again and again, then check the sums
	$(BIN)/python -m tests.broker.crash

faults: $(STAMP) ## let Hubble and Kafka fail in every way under a live export, then check the sums
	$(BIN)/python -m tests.broker.faults $(FAULTS_ARGS)

LOCK_VENV := .lock-venv
BUILD_LOCK := deploy/image/requirements-build.lock
# --universal: one file for Python 3.11 to 3.13 and every system. --no-strip-extras: pip counts
# "coverage[toml]" as not pinned by "coverage" alone once a newer coverage is out.
COMPILE := env -u PIP_FIND_LINKS -u UV_FIND_LINKS $(LOCK_VENV)/bin/uv pip compile --quiet --upgrade \
	--universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
	--no-emit-index-url --no-emit-find-links --no-strip-extras

lock: ## resolve the dependencies anew into the lock files
	@test -n "$(PYTHON)" || { echo "No Python 3.11, 3.12 or 3.13 was found; name one with PYTHON=" >&2; exit 1; }
	$(PYTHON) -m venv $(LOCK_VENV)
	$(LOCK_VENV)/bin/python -m pip install --quiet --disable-pip-version-check uv
	$(COMPILE) --output-file requirements.lock pyproject.toml
	$(COMPILE) --constraint requirements.lock --group dev --output-file requirements-dev.lock pyproject.toml
	echo hatchling | $(COMPILE) --constraint requirements-dev.lock --output-file $(BUILD_LOCK) -

clean: ## remove .venv and all caches
	rm -rf $(VENV) $(LOCK_VENV) .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis .coverage htmlcov build dist
	find service tests -name __pycache__ -type d -prune -exec rm -rf {} +
