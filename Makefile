# Everything sets itself up: `make demo` or `make test` on a fresh clone is enough.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

export PIP_DISABLE_PIP_VERSION_CHECK := 1
export DO_NOT_TRACK := 1

.PHONY: demo test nightly lint types check docs lock clean

demo: $(READY)      ## Run the whole pipeline on real text, in demo/
	$(BIN)/tribute demo

test: $(READY)      ## Pass the tests
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile

nightly: $(READY)   ## The same with the large counts: 50 kills, 8 writers, and the benchmarks of registry and rewards
	TRIBUTE_NIGHTLY=1 $(BIN)/python -m pytest
	$(BIN)/python benchmarks/registry.py
	$(BIN)/python benchmarks/rewards.py

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(READY)
	$(BIN)/mypy

check: lint types test

docs: $(READY)      ## Write what is generated: the command reference and the config's schema
	$(BIN)/python docs/generate.py

lock:               ## Renew requirements.lock from pyproject.toml
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

clean:
	rm -rf $(VENV) demo build *.egg-info
