# On a machine with git, make and python3 (3.11 or later, with venv), `make demo` or `make test` is all
# the set-up there is. Everything goes into .venv, from the lock files, every file checked by its hash.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV := build/lock/bin/uv
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIP_NO_INPUT := 1

.DEFAULT_GOAL := help
.PHONY: help demo test bench clauses lock clean

help:  ## Show this list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 18

demo: $(VENV)/.runtime  ## Run a node with its simulator and show reports and replies come home (ONCE=1: one of each, then end)
	@$(BIN)/homing demo $(if $(filter 1 yes true,$(ONCE)),--once) $(ARGS)

test: $(VENV)/.dev  ## Lint, check types, run every test
	@.ci/check $(BIN) $(ARGS)

bench: $(VENV)/.dev  ## Measure a node on this machine (ARGS="…" is handed on)
	@$(BIN)/python -m bench.run $(ARGS)

clauses: $(VENV)/.dev  ## Write docs/reference/clauses.md from the comments that name a clause
	@$(BIN)/python -m tests.clauses

lock: $(UV)  ## Choose the newest allowed versions anew and write both lock files
	@$(UV) pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-annotate \
	  --no-header --output-file requirements.lock pyproject.toml requirements-build.in
	@$(UV) pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-annotate \
	  --no-header --constraints requirements.lock --extra dev --output-file requirements-dev.lock \
	  pyproject.toml requirements-build.in

clean:  ## Remove the virtual environment and everything that was built
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis

# One environment, filled in two steps, so that the demo does not wait for the tools of the tests.
# A stamp says what was installed; it is older than its lock file when that has changed.
$(VENV)/.runtime: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo 'Homing needs Python 3.11 or later: make PYTHON=/path/to/python3.11 …' >&2; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null \
	  || { echo "Python's venv is missing: apt-get install python3-venv" >&2; exit 1; }
	@echo 'Installing into $(VENV) …'
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.dev: $(VENV)/.runtime requirements-dev.lock
	@echo 'Installing what the tests need …'
	@$(BIN)/python -m pip install --quiet --require-hashes -r requirements-dev.lock
	@touch $@

$(UV):
	@$(PYTHON) -m venv build/lock
	@build/lock/bin/python -m pip install --quiet uv
