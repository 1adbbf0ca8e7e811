# run, test, lint, docs, bench: all that a contributor must know.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: run test lint docs bench install

run: install
	$(BIN)/qinlp demo sample-project

test: install lint
	$(BIN)/python -m pytest -n 2 --dist loadfile

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: install
	$(BIN)/python docs/make.py

bench: install
	$(BIN)/python benchmarks/encode.py

install: .venv/installed

.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[dev]"
	touch $@
