# Every target makes its own environment: a fresh clone needs only Python 3.11 and make.
PYTHON ?= python3.11
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: install browser demo test test-all lint up bench bench-engine bench-queue bench-quality bench-gpu chaos clean

install: $(STAMP)

# Built anew when the dependencies change; pip is told every version.
$(STAMP): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --upgrade --constraint constraints.txt pip setuptools wheel
	$(BIN)/pip install --quiet --disable-pip-version-check --no-build-isolation --constraint constraints.txt --editable '.[dev]'
	touch $(STAMP)

demo: install
	$(BIN)/gistmill demo

up: install
	$(BIN)/gistmill up

test: install browser
	$(BIN)/python -m pytest -m "not gpu and not slow"

# The report is tested in Debian's Chromium.
browser:
	command -v chromium || command -v google-chrome || { \
		test "$$(id -u)" = 0 && apt-get update --quiet && apt-get install --quiet --yes chromium; } || \
		echo "no Chromium: install it (apt-get install chromium) to test the report's page"

test-all: install
	$(BIN)/python -m pytest

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/bandit --quiet --recursive --configfile pyproject.toml gistmill.py models producer workers migrations

bench: install
	$(BIN)/python -m tests.bench.bench_pipeline

bench-engine: install
	$(BIN)/python -m tests.bench.bench_engine

bench-queue: install
	$(BIN)/python -m tests.bench.bench_queue

bench-quality: install
	$(BIN)/python -m tests.bench.bench_quality

bench-gpu: install
	$(BIN)/python -m tests.bench.bench_gpu

JOBS ?= 2000
SECONDS ?= 300
SEED ?=

chaos: install
	$(BIN)/python -m tests.chaos.soak --jobs $(JOBS) --seconds $(SECONDS) $(if $(SEED),--seed $(SEED))

clean:
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .import_linter_cache
