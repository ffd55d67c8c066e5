# make demo, make test: both create the environment they need. See BUILD.md.
PYTHON  ?= python3
WORKDIR ?= runs/demo
TAG     := $(shell $(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])')
VENV    := .venv-$(TAG)
LOWEST  := .venv-lowest-$(TAG)
BIN     := $(VENV)/bin
PYTEST  := -m pytest -q -n auto --maxprocesses=4 --dist=worksteal

.PHONY: demo environment test test-slow test-lowest tutorials docs tutorials-then-docs lint peers clean

demo: $(VENV)/.installed
	$(BIN)/python -m experiments.search --config=experiments/configs/demo.py --workdir=$(WORKDIR)

test: $(VENV)/.installed-test
	$(BIN)/python $(PYTEST) -m "not slow"

test-slow: $(VENV)/.installed-test
	XLA_FLAGS= $(BIN)/python $(PYTEST)

test-lowest: $(LOWEST)/.installed-test
	$(LOWEST)/bin/python $(PYTEST) -m "not slow"

# The tutorials and the examples in docstrings.
tutorials: $(VENV)/.installed-test
	$(BIN)/python -m pytest -q tests/test_tutorials.py tests/test_docstrings.py

# The site, in build/site; whatever Sphinx warns of is an error, broken links too.
docs: $(VENV)/.installed-docs
	$(BIN)/python -m sphinx --quiet --fail-on-warning --keep-going docs build/site

tutorials-then-docs:
	$(MAKE) tutorials
	$(MAKE) docs

# Everything that the targets above and `lint` install, before they run side by side.
environment: $(VENV)/.installed-docs

lint: $(VENV)/.installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# Environments of the programs that the benchmark compares with, in .venv-peers.
peers: $(VENV)/.installed
	$(BIN)/python -m experiments.benchmarks.peers.environments

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit("allegro_jax needs Python 3.11 or newer; this is %s. Use: make PYTHON=python3.12 ..." % sys.version.split()[0] if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: $(VENV)/bin/python pyproject.toml
	@echo "installing into $(VENV) (a minute or two)"
	@$(BIN)/python -m pip install --quiet --editable .
	@touch $@

$(VENV)/.installed-test: $(VENV)/bin/python pyproject.toml
	@echo "installing into $(VENV) (a minute or two)"
	@$(BIN)/python -m pip install --quiet --editable ".[test]"
	@touch $(VENV)/.installed $@

$(VENV)/.installed-docs: $(VENV)/.installed-test
	@$(BIN)/python -m pip install --quiet --editable ".[test,docs]"
	@touch $@

# The lowest versions that pyproject.toml allows, as uv resolves them.
$(LOWEST)/.installed-test: pyproject.toml
	$(PYTHON) -m venv $(LOWEST)
	$(LOWEST)/bin/python -m pip install --quiet uv
	$(LOWEST)/bin/uv pip install --quiet --python $(LOWEST)/bin/python --resolution lowest-direct --editable ".[test]"
	@touch $@

clean:
	rm -rf .venv-* .pytest_cache .mypy_cache .ruff_cache .jax_cache build dist *.egg-info
