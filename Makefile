# `make demo` and `make test` work on a fresh clone: each first makes .venv and installs the pinned set into it.
.DEFAULT_GOAL := help
.PHONY: help demo test test-slow test-faults test-wheel lint format bench audit clean

VENV := .venv
BIN := $(VENV)/bin
JOBS ?= 2
# A worker that crashes or hangs ends the run instead of being replaced.
PYTEST = OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(JOBS) --dist loadfile --max-worker-restart 0 --timeout 600

help:
	@echo "make demo       film a built-in character to the built-in song: out/demo.mp4"
	@echo "make test       all fast tests"
	@echo "make test-slow  the slow tests"
	@echo "make test-faults  a thousand damaged files and fifty kills, half an hour"
	@echo "make test-wheel the wheel in an environment of its own makes the demo"
	@echo "make lint       ruff and mypy"
	@echo "make format     let ruff put the code in order"
	@echo "make bench      speed of the selective scan on this machine"
	@echo "make audit      known vulnerabilities of the pinned set (asks pypi.org), and its bill of materials"
	@echo "make clean      remove the virtual environment and all outputs"

demo: $(VENV)/installed
	@mkdir -p out
	$(BIN)/stgmamba demo -o out/demo.mp4

test: $(VENV)/installed-dev
	$(PYTEST)

test-slow: $(VENV)/installed-dev
	$(PYTEST) -m slow

# make test-slow has a short form of it.
test-faults: $(VENV)/installed-dev
	STGM_FAULTS=1000 STGM_KILLS=52 STGM_FAULTS_REPORT=$(CURDIR)/out/faults.json $(BIN)/python -m pytest -m slow tests/faults

# In a folder without the sources, so that a file the wheel lacks is missed.
WHEEL := build/wheel
test-wheel: $(VENV)/installed
	rm -rf $(WHEEL)
	$(BIN)/python -m pip wheel --quiet --disable-pip-version-check --no-deps -w $(WHEEL) .
	$(BIN)/python -m venv $(WHEEL)/venv
	$(WHEEL)/venv/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt $(WHEEL)/*.whl
	cd $(WHEEL) && venv/bin/stgmamba demo -o demo.mp4 && venv/bin/stgmamba info demo.mp4
	@ls -l $(WHEEL)/*.whl
	rm -rf $(WHEEL)/venv

lint: $(VENV)/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(VENV)/installed-dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/installed-dev
	$(BIN)/stgmamba bench scan

# The auditors get an environment of their own, so that the pinned set stays what is audited.
AUDIT := build/audit
audit: $(VENV)/installed
	$(BIN)/python -m venv $(AUDIT)
	$(AUDIT)/bin/python -m pip install --quiet --disable-pip-version-check pip-audit==2.10.1 cyclonedx-bom==7.5.0
	@mkdir -p out
	$(AUDIT)/bin/cyclonedx-py environment $(BIN)/python --output-format JSON -o out/sbom.json
	$(AUDIT)/bin/pip-audit -r constraints.txt --no-deps --disable-pip

clean:
	rm -rf $(VENV) out build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis

# The first interpreter that the pinned set has wheels for. Override with: make demo PYTHON=/path/to/python3.11
PYTHON ?=
$(BIN)/python:
	@for python in $(PYTHON) python3 python3.12 python3.11; do \
	  if $$python -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 12))' 2>/dev/null; then \
	    echo "$$python -m venv $(VENV)"; exec $$python -m venv $(VENV); \
	  fi; \
	done; \
	echo "stgmamba needs Python 3.11 or 3.12 and found neither; install one, or name it: make demo PYTHON=/path/to/python3.11" >&2; \
	exit 1

# Stamps: the set-up is done again only when what it depends on has changed.
$(VENV)/installed: pyproject.toml constraints.txt | $(BIN)/python
	@echo "Installing into $(VENV): a few minutes, once."
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	@touch $@

$(VENV)/installed-dev: pyproject.toml constraints.txt | $(BIN)/python
	@echo "Installing into $(VENV): a few minutes, once."
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@ $(VENV)/installed
