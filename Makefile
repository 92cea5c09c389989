# The two commands to know: `make demo` and `make test`.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
LONG ?= -n 3
DIST := --dist worksteal # a module's tests stay together as long as both have work: its servers start once
CHECKOV ?= .venv-checkov
AWSCLI ?= .venv-awscli

.PHONY: demo test browser registry test-long soak check style checkov bench picture transcript tables page wheel lock clean

demo: $(VENV)/.installed ## move a sample event log into a real PostgreSQL and prove it
	@$(BIN)/gymops demo

test: $(VENV)/.installed-dev browser registry ## the test suite without the long tests
	$(BIN)/pytest -n 2 $(DIST)

browser: # for the tests of the page, which are skipped where it cannot be installed
	@command -v chromium >/dev/null || { [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null \
	  && { apt-get install -y -qq chromium >/dev/null 2>&1 || { apt-get update -qq && apt-get install -y -qq chromium; } >/dev/null 2>&1; }; } \
	  || echo "chromium is not installed: the tests of the page are skipped"

registry: # for the tests of images, which are skipped where it cannot be installed
	@command -v docker-registry >/dev/null || { [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null \
	  && { apt-get install -y -qq docker-registry >/dev/null 2>&1 || { apt-get update -qq && apt-get install -y -qq docker-registry; } >/dev/null 2>&1; }; } \
	  || echo "docker-registry is not installed: the tests that push images are skipped"

test-long: $(VENV)/.installed-dev ## the marked long tests
	$(BIN)/pytest $(LONG) $(DIST) -m "long and not soak"

soak: $(VENV)/.installed-dev ## hundreds of seeded crashes
	SOAK=1 $(BIN)/pytest -n 2 $(DIST) -m "soak or many"

check: style checkov ## ruff, mypy strict, import-linter; checkov on the templates

style: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

checkov: $(VENV)/.installed-dev $(CHECKOV)/.installed
	$(BIN)/python -m tests.checkov $(CHECKOV)/bin/checkov

bench: $(VENV)/.installed-dev $(AWSCLI)/.installed ## side by side with psql's \copy, pgloader, the AWS CLI, cp; ARGS="--events 2000000"
	$(BIN)/python -m tests.benchmarks.migrate $(ARGS)
	$(BIN)/python -m tests.benchmarks.tables
	$(BIN)/python -m tests.benchmarks.store
	$(BIN)/python -m tests.benchmarks.imports
	$(BIN)/python -m tests.benchmarks.startup
	$(BIN)/python -m tests.benchmarks.deploy --aws $(AWSCLI)/bin/aws
	$(BIN)/python -m tests.benchmarks.backup

picture: $(VENV)/.installed-dev ## the pictures in docs/, from real runs
	$(BIN)/python -m tests.picture
	$(BIN)/python -m tests.browser.pictures

transcript: $(VENV)/.installed-dev ## the release story in the README, from a real run of some minutes
	$(BIN)/python -m tests.transcript

tables: $(VENV)/.installed-dev ## the generated tables in docs/
	$(BIN)/python -m tests.local_page
	$(BIN)/python -m tests.capabilities

page: ## the tracker's built page, from its sources; needs Node
	cd gymops/app/web/source && npm ci && npm run build

wheel: $(VENV)/.installed-dev
	$(BIN)/python -m build --wheel --no-isolation --outdir dist .

lock: ## make the lock files anew from pyproject.toml, checkov's and the AWS CLI's
	$(PIP) install pip-tools
	$(BIN)/pip-compile $(LOCK) --extra build --extra lambda --extra dev --output-file requirements-dev.lock pyproject.toml
	$(BIN)/pip-compile $(LOCK) --extra build --constraint requirements-dev.lock --output-file requirements.lock pyproject.toml
	$(BIN)/pip-compile $(LOCK) --constraint requirements-dev.lock --output-file requirements-image.lock requirements-image.in
	echo checkov | $(BIN)/pip-compile $(LOCK) --output-file requirements-checkov.lock -
	echo awscli | $(BIN)/pip-compile $(LOCK) --output-file requirements-awscli.lock -
	sed -i '/^--/d; s/^\(awslambdaric==[^ ]*\)[^\\]*/\1 ; sys_platform == "linux" /' requirements*.lock # pip-compile drops it

LOCK := --quiet --strip-extras --allow-unsafe --generate-hashes --no-header --no-annotate \
	--no-emit-index-url --no-emit-trusted-host --no-emit-find-links

clean:
	rm -rf $(VENV) $(CHECKOV) $(AWSCLI) dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

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

$(AWSCLI)/.installed: requirements-awscli.lock | $(VENV)/bin/python
	@$(BIN)/python -m venv $(AWSCLI)
	@$(AWSCLI)/bin/python -m pip --disable-pip-version-check --quiet install --require-hashes -r requirements-awscli.lock \
	  || { echo "the AWS CLI cannot be installed into $(AWSCLI), and there is nothing to compare a deploy with" >&2; exit 1; }
	@touch $@

$(CHECKOV)/.installed: requirements-checkov.lock | $(VENV)/bin/python
	@$(BIN)/python -m venv $(CHECKOV)
	@$(CHECKOV)/bin/python -m pip --disable-pip-version-check --quiet install --require-hashes -r requirements-checkov.lock \
	  || { echo "checkov cannot be installed into $(CHECKOV), and the templates are not checked without it" >&2; exit 1; }
	@touch $@
