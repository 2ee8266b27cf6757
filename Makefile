# Everything that is done with this repository, by name. `make help` lists it.
# Each target makes what it needs: .venv, then the packages, recorded by a stamp file so that a second run is quick.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.NOTPARALLEL:  # two pips in one .venv spoil each other
.DEFAULT_GOAL := help

# The model classes behind tests/**/: torch alone and first, then held still while transformers is installed.
TORCH := 2.13.0
TRANSFORMERS := 5.23.0
ACCELERATE := 1.15.0  # its parser reads the launch files that outlay writes

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
export NO_MKDOCS_2_WARNING := 1
PIP := $(BIN)/python -m pip --disable-pip-version-check -qq
# Passages between [[[cog … ]]] and [[[end]]] are printed by scripts/screens.py; `make check` compares, `make docs` rewrites.
COG := $(BIN)/cog -I scripts --check-fail-msg='run: make docs'
PAGES = README.md $(shell grep -rl --include='*.md' '\[\[\[cog' docs)
# `make demo MODEL=gpt3-175b TOKENS=300B ON=a100-sxm-80gb:1024`
MODEL := llama-3-8b
TOKENS := 1T
ON := h100-sxm:64

.PHONY: help
help:  ## this list
	@sed -nE 's/^([a-z-]+):.*## (.*)/\1\t\2/p' $(MAKEFILE_LIST) | while IFS=$$'\t' read -r name does; do \
		printf '  make %-12s %s\n' "$$name" "$$does"; done

# --- use -------------------------------------------------------------------------------------------------------------

.PHONY: demo
demo: $(STAMP)/base  ## install, and print what pre-training Llama-3-8B costs
	@$(BIN)/outlay cost training $(MODEL) --tokens $(TOKENS) --on $(ON)

# --- proof -----------------------------------------------------------------------------------------------------------

.PHONY: test
test: $(STAMP)/test  ## all tests that need no torch, doctests too
	$(BIN)/pytest -q $(PYTEST)

.PHONY: test-torch
test-torch: $(STAMP)/torch  ## recompute with torch and transformers the truths that `make test` reads from tables
	HF_HUB_OFFLINE=1 TRANSFORMERS_VERBOSITY=error $(BIN)/pytest -q -m torch tests $(PYTEST)

.PHONY: check
check: $(STAMP)/dev  ## style, types, order of imports, documents up to date
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/mypy --strict scripts benchmarks
	$(BIN)/lint-imports --no-logo
	$(COG) --check --diff $(PAGES)
	$(BIN)/mkdocs build --quiet --strict

.PHONY: bench
bench: $(STAMP)/base  ## speed: start-up of a cold command, layouts a second
	$(BIN)/python -m benchmarks

.PHONY: accuracy
accuracy: $(STAMP)/dev  ## predict the measured rows in validation/ again and rewrite the record of accuracy
	$(BIN)/python scripts/record.py
	$(COG) -r $(PAGES)

.PHONY: fit
fit: $(STAMP)/fit  ## fit the coefficients again: kernels to measured kernels, whole steps to validation/ (minutes)
	$(BIN)/python -m outlay.machine.fit
	$(BIN)/python -m outlay.accuracy.fit
	$(BIN)/python -m outlay.accuracy.runs_fit
	$(BIN)/python -m outlay.accuracy.serving.fit

# --- documents -------------------------------------------------------------------------------------------------------

.PHONY: docs
docs: $(STAMP)/dev  ## rewrite generated passages, build the pages into site/
	$(COG) -r $(PAGES)
	$(BIN)/mkdocs build --quiet --strict

.PHONY: serve-docs
serve-docs: $(STAMP)/dev  ## the pages on localhost, rebuilt on each change
	$(BIN)/mkdocs serve

.PHONY: format
format: $(STAMP)/dev  ## let ruff lay out and mend what it can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

.PHONY: clean
clean:  ## remove .venv and everything generated
	rm -rf $(VENV) site build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache src/*.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# --- installs --------------------------------------------------------------------------------------------------------

$(BIN)/python:
	@for python in $(PYTHON) python3 python3.14 python3.13 python3.12 python3.11; do \
		"$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || continue; \
		echo "making $(VENV) with $$("$$python" --version)" >&2; \
		"$$python" -m venv $(VENV) && exit 0; \
		rm -rf $(VENV); \
		echo "error: $$python cannot make a virtual environment" >&2; \
		echo "hint: on Debian and Ubuntu, \`apt install python3-venv\`" >&2; \
		exit 1; \
	done; \
	echo "error: no Python 3.11 or newer on the path" >&2; \
	echo "hint: name one: \`make demo PYTHON=/path/to/python3.12\`" >&2; \
	exit 1

# pyproject.toml is newer than the stamp: what is to be installed may have changed.
$(STAMP)/base: pyproject.toml | $(BIN)/python
	@echo "installing outlay into $(VENV)" >&2
	@$(PIP) install --editable .
	@mkdir -p $(@D) && touch $@

$(STAMP)/test $(STAMP)/dev $(STAMP)/fit: $(STAMP)/base
	@echo "installing outlay[$(@F)] into $(VENV)" >&2
	@$(PIP) install --editable '.[$(@F)]'
	@touch $@

$(STAMP)/torch: $(STAMP)/test
	@echo "installing torch $(TORCH), transformers $(TRANSFORMERS) and accelerate $(strip $(ACCELERATE)) into $(VENV)" >&2
	@echo "torch==$(TORCH)" > $(VENV)/constraints.txt
	@$(PIP) install torch==$(TORCH)
	@$(PIP) install --constraint $(VENV)/constraints.txt transformers==$(TRANSFORMERS) accelerate==$(strip $(ACCELERATE))
	@touch $@
