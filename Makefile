# `make run`: the whole lite benchmark from nothing. `make test`: the tests in the same environment, but for slow ones.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin

# worksteal: a process without work takes tests from the other, so that no long file is left to one core at the end
PYTEST = $(BIN)/python -m pytest -n 2 --dist worksteal

.PHONY: run quick test test-slow test-ray check types docs site audit clean

run: $(VENV)/installed
	$(BIN)/dabs run

# one algorithm and the inputs themselves in all seven domains, with three steps each: does it run, not how well
quick: $(VENV)/installed
	out=$$(mktemp -d) && $(BIN)/dabs run --algorithms shed --steps 3 --protocol linear --out $$out && rm -r $$out

test: $(VENV)/installed
	$(PYTEST) -m "not slow"

# several processes and clusters, the notebook, the wheel, and samples of real datasets where ../shared holds them
test-slow: $(VENV)/installed
	$(PYTEST) -m "slow and not ray"

# needs pip install '.[ray]'; one process, because Ray's own processes take both cores
test-ray: $(VENV)/installed
	$(BIN)/python -m pytest -m ray

check: $(VENV)/installed types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

# mypy does not follow the import hook of an editable install, so it reads a folder in which `dabs` holds all packages
types: $(VENV)/installed build/types
	cd build/types && $(abspath $(BIN))/mypy --config-file $(CURDIR)/pyproject.toml --cache-dir $(CURDIR)/.mypy_cache

.PHONY: build/types
build/types:
	rm -rf $@ && mkdir -p $@/dabs
	ln -s $(CURDIR)/dabs/* $(CURDIR)/algorithms $(CURDIR)/domains $(CURDIR)/leaderboard $@/dabs

# the documentation site: built strictly (a broken link is an error), then served at http://127.0.0.1:8000
docs: site
	$(BIN)/python -m http.server 8000 --bind 127.0.0.1 --directory build/docs

site: $(VENV)/installed build/types
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

# what is known against the installed packages; asks pypi.org. `make check` holds the source against bandit's rules
audit: $(VENV)/installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[audit]'
	$(BIN)/pip-audit --skip-editable

$(VENV)/installed: pyproject.toml
	$(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 11) and 'dabs needs Python 3.11 or newer; try make PYTHON=python3.12')"
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	touch $@

clean:
	rm -rf $(VENV) build dist *.egg-info
