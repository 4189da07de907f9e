# Every target installs what it needs: on a fresh clone, `make demo` or `make test` is enough. `make help` lists them.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

export PIP_DISABLE_PIP_VERSION_CHECK := 1
export DO_NOT_TRACK := 1

.PHONY: demo test attacks numeric nightly lint types check docs lock clean help

demo: $(READY)      ## Run the whole pipeline on real text, in demo/
	$(BIN)/tribute demo

test: $(READY)      ## Run the tests
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile

attacks: $(READY)   ## Measure what every attack on the rewards earns, 200 worlds each; says first how long, and resumes
	$(BIN)/tribute attack all --draws 200 --dry-run
	$(BIN)/tribute attack all --draws 200 --card attacks

numeric: $(READY)   ## Run the tests of numbers (ATEN_CPU_CAPABILITY=default|avx2|avx512 picks the instruction set)
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile -m numeric

nightly: $(READY)   ## Run the tests with large counts (50 kills, 8 writers), then two benchmarks
	TRIBUTE_NIGHTLY=1 $(BIN)/python -m pytest
	$(BIN)/python benchmarks/registry.py
	$(BIN)/python benchmarks/rewards.py

lint: $(READY)      ## Check style and formatting
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(READY)     ## Check types
	$(BIN)/mypy

check: lint types test  ## Run lint, types and test

docs: $(READY)      ## Write the command reference, the schemas and the module map
	$(BIN)/python docs/generate.py

lock:               ## Write requirements.lock from pyproject.toml
	rm -rf .lock-venv && $(PYTHON) -m venv .lock-venv
	.lock-venv/bin/pip install --quiet ".[dev]"
	{ head -2 requirements.lock; .lock-venv/bin/pip freeze | grep -v '^tribute' | sed 's/+cpu$$//'; } > requirements.new
	mv requirements.new requirements.lock && rm -rf .lock-venv

$(READY): requirements.lock pyproject.toml
	$(PYTHON) -m venv $(VENV)
	@echo "installing (some minutes, about 2 GB)…"
	$(BIN)/pip install -qq --requirement requirements.lock
	$(BIN)/pip install -qq --no-deps --editable .
	@# Some packages carry files for other Python versions, which do not compile here.
	$(BIN)/python -m compileall -q -j 0 $(VENV)/lib > /dev/null 2>&1 || true
	touch $@

clean:              ## Remove the environment, the demo and build files
	rm -rf $(VENV) demo build *.egg-info

help:               ## List the targets
	@sed -n 's/^\([a-z]*\):[^#]*## \(.*\)/\1\t\2/p' $(MAKEFILE_LIST) | expand -t 12
