# Everything runs in .venv, made here from Python 3.11 or newer; nothing else needs to be installed.
# `make help` lists the targets. PYTHON=python3.13 chooses the interpreter, VENV=DIR another environment.

VENV ?= .venv
TESTS ?=
BENCHMARKS ?= golden fgd speed memory
DEMO ?= runs/demo

SUPPORTED := import sys; sys.exit(sys.version_info < (3, 11))
VERSION := import sys; print(sys.version_info[:3])
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11 python; do \
  $$p -c '$(SUPPORTED)' 2>/dev/null && echo $$p && break; done)

BIN := $(VENV)/bin
UV := $(or $(shell command -v uv 2>/dev/null),$(BIN)/uv)
PIP_INSTALL = $(UV) pip install --quiet --python $(BIN)/python

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test lint format typecheck bench fidelity docs lock wheel ci clean FORCE

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' Makefile

demo: $(VENV)/.base ## compare schedulers on the bundled trace; a table here, a report in runs/demo
	@$(BIN)/goodwatt compare --out $(DEMO)
	@echo
	@echo "The report, which any browser opens: $(abspath $(DEMO))/report.html"

test: $(VENV)/.dev ## run the tests; TESTS="tests/cluster -k state" for some of them
	@$(BIN)/python -m pytest $(TESTS)

lint: $(VENV)/.dev ## ruff, formatting, and which package may import which
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/lint-imports

format: $(VENV)/.dev ## format the code and mend what ruff can mend
	@$(BIN)/ruff check --fix --exit-zero
	@$(BIN)/ruff format

typecheck: $(VENV)/.dev ## mypy --strict over src, tests, benchmarks, examples
	@$(BIN)/mypy

bench: $(VENV)/.base ## run the benchmarks; tables here, JSON in benchmarks/results; BENCHMARKS="speed" for some
	@set -e; for name in $(BENCHMARKS); do echo "== $$name"; $(BIN)/python benchmarks/$$name.py; done

fidelity: $(VENV)/.base ## how well the physics holds against public measurements; FIDELITY=--docs also writes its page
	@$(BIN)/python benchmarks/fidelity $(FIDELITY)

docs: $(VENV)/.docs ## build the documentation into site/
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
	@echo "The documentation: $(abspath site)/index.html"

wheel: $(UV) ## build the wheel into dist/
	@$(UV) build --quiet --wheel --build-constraints constraints/build.txt --require-hashes --out-dir dist

ci: ## all that a change has to pass
	@bash .ci/run

clean: ## remove what the other targets made
	rm -rf $(VENV) dist site runs $(filter-out %/h200_phases.json %/h200_faults.json %/h200_data_power.json %/h200_serving.json,$(wildcard benchmarks/results/*)) .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache

# ---- the environment: constraints/NAME.txt with hashes, then this checkout, editable -------------------------------

$(VENV)/.base $(VENV)/.dev $(VENV)/.docs: $(VENV)/.%: constraints/%.txt constraints/build.txt pyproject.toml \
    $(BIN)/python $(UV)
	@echo "installing constraints/$*.txt into $(VENV)" >&2
	@$(PIP_INSTALL) --require-hashes -r constraints/$*.txt
	@$(PIP_INSTALL) --no-deps --build-constraints constraints/build.txt --editable .
	@touch $@

$(BIN)/uv: constraints/uv.txt $(BIN)/python
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r constraints/uv.txt
	@touch $@

# An interpreter that the caller names remakes an environment of another version; otherwise what is there stays.
ifneq ($(origin PYTHON),file)
ifneq ($(shell ($(BIN)/python -c '$(VERSION)') 2>/dev/null),$(shell ($(PYTHON) -c '$(VERSION)') 2>/dev/null))
$(BIN)/python: FORCE
endif
endif
$(BIN)/python:
	@($(or $(PYTHON),false) -c '$(SUPPORTED)') 2>/dev/null || { \
	  echo "goodwatt needs Python 3.11 or newer; $(or $(PYTHON),nothing on PATH) is not: make PYTHON=/path/to/python3.12 ..." >&2; exit 1; }
	@echo "making $(VENV) with $$($(PYTHON) --version)" >&2
	@$(PYTHON) -m venv --clear $(VENV)

# ---- the lock: the same versions in every file -----------------------------------------------------------------

COMPILE = UV_CUSTOM_COMPILE_COMMAND="make lock" $(UV) pip compile --quiet --universal --python-version 3.11 \
  --fork-strategy fewest --generate-hashes --no-emit-index-url --no-annotate
WITHIN = $(COMPILE) pyproject.toml --constraints constraints/all.txt

lock: $(UV) ## solve the dependencies again, keeping what still fits; UPGRADE=--upgrade for the newest
	$(COMPILE) $(UPGRADE) pyproject.toml --all-extras --group dev --group docs -o constraints/all.txt
	$(WITHIN) -o constraints/base.txt
	$(WITHIN) --group dev -o constraints/dev.txt
	$(WITHIN) --group docs -o constraints/docs.txt
	$(WITHIN) --extra rl -o constraints/rl.txt
	$(WITHIN) --extra ray -o constraints/ray.txt
	$(WITHIN) --extra k8s -o constraints/k8s.txt
	$(WITHIN) --extra nvml -o constraints/nvml.txt
	printf 'hatchling\neditables\n' | $(COMPILE) $(UPGRADE) - -o constraints/build.txt
	printf 'uv\n' | $(COMPILE) $(UPGRADE) - -o constraints/uv.txt
