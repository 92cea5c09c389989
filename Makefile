# The two commands to know: `make demo` and `make test`.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
LONG ?= -n 2

.PHONY: demo test test-long soak check bench picture wheel lock clean

demo: $(VENV)/.installed ## move a sample event log into a real PostgreSQL and prove it
	@$(BIN)/gymops demo

test: $(VENV)/.installed-dev ## the test suite without the long tests
	$(BIN)/pytest -n 2

test-long: $(VENV)/.installed-dev ## the marked long tests
	$(BIN)/pytest $(LONG) -m "long and not soak"

soak: $(VENV)/.installed-dev ## hundreds of seeded crashes
	$(BIN)/pytest -n 2 -m soak

check: $(VENV)/.installed-dev ## ruff, mypy strict, import-linter
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(VENV)/.installed-dev ## side by side with psql's \copy and pgloader; ARGS="--events 2000000"
	$(BIN)/python -m tests.benchmarks.migrate $(ARGS)

picture: $(VENV)/.installed-dev ## docs/demo.svg, from a real run
	$(BIN)/python -m tests.picture

wheel: $(VENV)/.installed-dev
	$(BIN)/python -m build --wheel --no-isolation --outdir dist .

lock: ## make the lock files anew from pyproject.toml
	$(PIP) install pip-tools
	$(BIN)/pip-compile $(LOCK) --extra build --extra lambda --extra dev --output-file requirements-dev.lock pyproject.toml
	$(BIN)/pip-compile $(LOCK) --extra build --constraint requirements-dev.lock --output-file requirements.lock pyproject.toml
	$(BIN)/pip-compile $(LOCK) --extra lambda --constraint requirements-dev.lock --output-file requirements-image.lock pyproject.toml
	sed -i '/^--/d; s/^awslambdaric==[^ ]*/& ; sys_platform == "linux"/' requirements*.lock # pip-compile drops it

LOCK := --quiet --strip-extras --allow-unsafe --generate-hashes --no-header --no-annotate \
	--no-emit-index-url --no-emit-trusted-host --no-emit-find-links

clean:
	rm -rf $(VENV) dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit("gymops needs Python 3.11 or later" if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: requirements.lock pyproject.toml | $(VENV)/bin/python
	$(PIP) install --require-hashes -r requirements.lock
	$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.installed-dev: requirements-dev.lock pyproject.toml | $(VENV)/bin/python
	$(PIP) install --require-hashes -r requirements-dev.lock
	$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@ $(VENV)/.installed
