# The first two targets need Python 3.11+ and make, nothing else.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: run test venv check bench chaos lock clean

run: venv  ## serve the sample on http://127.0.0.1:8080 (ARGS="--set data=DIR ...")
	$(BIN)/butai up $(ARGS)

test: venv check  ## lint, types, layers and every test
	$(BIN)/python -m pytest -m "not chaos" $(ARGS)

venv: $(STAMP)

$(STAMP): requirements.lock
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --no-index -e .
	touch $(STAMP)

check: venv  ## ruff, mypy --strict and the layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

chaos: venv  ## the longer fault tests
	$(BIN)/python -m pytest -m chaos $(ARGS)

bench: venv  ## one table of figures from one run (needs wrk)
	$(BIN)/python -m bench $(ARGS)

lock:  ## write requirements.lock anew from pyproject.toml (needs uv)
	uv pip compile --universal --python-version 3.11 --extra dev --generate-hashes --no-header --no-annotate --no-emit-find-links --no-emit-index-url -o requirements.lock pyproject.toml

clean:
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache
