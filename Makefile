# Everything on a fresh machine with Python 3.11+ and make: `make demo` (the main job on a stand-in Quay), `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ARGS ?=

.PHONY: demo test check lint packages bench soak judge format clean help

help:
	@echo "make demo [ARGS=--headless]   collect from a stand-in Quay, report, open the pages"
	@echo "make test [ARGS=--cpu]        all tests; what each folder, file and costly test takes of the CPU"
	@echo "make check                    format, lint, strict types, import contracts, tests"
	@echo "make packages                 build wheel and sdist, install each, run the demo from it"
	@echo "make bench                    the benches, with their ratios"
	@echo "make bench-large              the bench of large ledgers, with 100 million events"
	@echo "make soak [ARGS=200]          kills the collector again and again, with the truth as judge"
	@echo "make judge [ARGS='7 8']       judges months with planted incidents, and quiet ones; by seed"
	@echo "make format                   format the sources"

demo: $(VENV)/.run
	$(BIN)/quayledger demo $(ARGS)

test: $(VENV)/.dev
	$(BIN)/python -m pytest -n 2 --dist loadfile $(ARGS)

check: lint test

lint: $(VENV)/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check --no-cache .
	$(BIN)/mypy
	$(BIN)/lint-imports

packages: $(VENV)/.dev
	.ci/packages $(BIN)/python

bench: $(VENV)/.bench
	$(BIN)/python -m bench $(ARGS)

bench-large: $(VENV)/.bench
	BENCH_EVENTS=100000000 $(BIN)/python -m bench large

soak: $(VENV)/.dev
	$(BIN)/python -m tests.hardship.soak $(ARGS)

judge: $(VENV)/.dev
	$(BIN)/python -m tests.detections.judge $(ARGS)

format: $(VENV)/.dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:
	rm -rf $(VENV) demo-ledger .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis build dist

$(VENV)/.made:
	$(PYTHON) -c 'import sys; sys.exit("quayledger needs Python 3.11 or newer, this is " + sys.version.split()[0]) if sys.version_info < (3, 11) else 0'
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.run: $(VENV)/.made pyproject.toml constraints.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	@touch $@

$(VENV)/.dev: $(VENV)/.made pyproject.toml constraints.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@ $(VENV)/.run

$(VENV)/.bench: $(VENV)/.dev
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev,bench]'
	@touch $@
