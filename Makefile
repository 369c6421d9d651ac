# Every target that runs our code goes through the locked environment in .venv.
SHELL := /bin/bash
PY := .venv/bin/python
UV := .venv/bin/uv

.PHONY: install lock lint test demo real stack stack-down

install: .venv/.installed ## the locked environment, hashes checked

.venv/.installed: requirements.lock pyproject.toml
	python3 -m venv .venv
	.venv/bin/python -m pip install --quiet --require-hashes --no-deps -r <(awk '/^uv==/{p=1} p{print} p&&!/\\$$/{exit}' requirements.lock)
	$(UV) pip sync --quiet --require-hashes requirements.lock
	$(UV) pip install --quiet --no-deps --no-build-isolation -e .
	touch $@

lock: ## resolve again; the file names no registry
	uv pip compile pyproject.toml --group dev --generate-hashes --no-emit-index-url --no-header --no-annotate --python-version 3.11 -q -o requirements.lock

lint: install
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy

demo: install ## a simulated fleet on the embedded runtime, with the board; ARGS="--for 30" ends it by itself
	.venv/bin/sandbox-monitor demo $(ARGS)
