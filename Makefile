# One command each; every target works alone on a machine with Python 3.11, make and a C library.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
# four processes, for they wait more than they work, each with a PostgreSQL of its own
PYTEST := $(BIN)/python -m pytest -n 4 --dist loadfile --no-loadscope-reorder

.PHONY: help setup demo check format lint types imports test test-quick fix bench schema openapi client lock clean

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 14

setup: $(READY)  ## make .venv with the locked dependencies and Bursar itself

$(READY): requirements/dev.txt pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Bursar needs Python 3.11 or newer; set PYTHON=...")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements/dev.txt
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $(READY)

demo: $(READY)  ## a club's month in a minute: 100,000 people paid once, on books of its own
	@$(BIN)/python examples/sportsclub/demo.py

check: format lint types imports test  ## everything a change must pass; rewrites nothing

format: $(READY)  ## is the code formatted?
	$(BIN)/ruff format --check .

lint: $(READY)  ## ruff's rules
	$(BIN)/ruff check .

types: $(READY)  ## strict types
	$(BIN)/mypy

imports: $(READY)  ## who may import whom
	$(BIN)/lint-imports

test: $(READY)  ## all tests, kills and contention included
	$(PYTEST)

test-quick: $(READY)  ## the tests without the slow ones
	$(PYTEST) -m "not slow"

fix: $(READY)  ## format and mend what can be mended
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(READY)  ## every benchmark, each beside its bare-SQL limit
	$(BIN)/python -m benchmarks all

schema: $(READY)  ## write docs/schema.sql anew from the migrations
	$(BIN)/python -m tests.support.schema > docs/schema.sql.new
	mv docs/schema.sql.new docs/schema.sql

openapi: $(READY)  ## write docs/openapi.json anew from the API
	$(BIN)/python -m tests.support.openapi > docs/openapi.json.new
	mv docs/openapi.json.new docs/openapi.json

client: $(READY)  ## write the blocking client anew from the one for asyncio
	$(BIN)/python tools/blocking_client.py

lock: $(READY)  ## renew requirements/*.txt from pyproject.toml (hashes, no addresses)
	$(BIN)/uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes \
	    --no-header --no-emit-index-url --no-emit-find-links --quiet --upgrade -o requirements/run.txt
	$(BIN)/uv pip compile pyproject.toml --group dev --universal --python-version 3.11 --generate-hashes \
	    --no-header --no-emit-index-url --no-emit-find-links --quiet --upgrade -o requirements/dev.txt

clean:  ## remove what make made here (never a data directory)
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache dist build
