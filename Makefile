# The whole set-up on a fresh machine with Python >= 3.11: `make quickstart` and `make test`.
PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
export FLWR_TELEMETRY_ENABLED := 0
RUN_CONFIG ?=
# a file's tests in one process, since whole runs share a SuperLink; four at once, with one thread of torch each
TEST := OMP_NUM_THREADS=1 $(PY) -m pytest -n logical --maxprocesses 4 --dist loadfile

.PHONY: help install tools ipfs-node contracts check-contracts quickstart test test-fast lint data bench

help:
	@echo "make quickstart   ten simulated clients on real digits; who earned what"
	@echo "make test         all tests     (make test-fast: without whole runs)"
	@echo "make lint         ruff, mypy, import-linter"
	@echo "make contracts    compile contracts/ into the package (needs Node.js)"
	@echo "make ipfs-node    install the IPFS node that tests run on (needs Node.js)"
	@echo "make data         fetch MNIST and Fashion-MNIST into data/"
	@echo "make bench        measure what docs/benchmarks.md shows"

install: $(VENV)/.installed

$(VENV)/.installed: pyproject.toml constraints.txt
	test -x $(PY) || $(PYTHON) -m venv $(VENV)
	$(PY) -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable ".[dev]"
	touch $@

tools: node_modules/.installed lib/chainlink/.installed

node_modules/.installed: package.json package-lock.json
	npm ci --silent
	touch $@

lib/chainlink/.installed: tools/fetch_chainlink.sh
	sh tools/fetch_chainlink.sh lib/chainlink

ipfs-node: tests/ipfs-node/node_modules/.installed

tests/ipfs-node/node_modules/.installed: tests/ipfs-node/package.json tests/ipfs-node/package-lock.json
	npm ci --silent --prefix tests/ipfs-node
	touch $@

contracts: install tools
	$(PY) tools/build_contracts.py

check-contracts: install tools
	$(PY) tools/build_contracts.py --check

quickstart: install
	$(PY) tools/flower_run.py examples/quickstart --run-config '$(RUN_CONFIG)'

test: install
	@if command -v npm >/dev/null; then $(MAKE) --no-print-directory tools ipfs-node; else echo "Node.js is missing: the tests that need anvil or an IPFS node are skipped (Debian: apt-get install nodejs npm)"; fi
	$(TEST)

test-fast: install
	$(TEST) -m "not slow"

lint: install
	$(VENV)/bin/ruff check .
	$(VENV)/bin/mypy
	PYTHONPATH=. $(VENV)/bin/lint-imports

data:
	sh tools/fetch_data.sh data

bench: install
	$(PY) -m examples.benchmarks.quickstart
