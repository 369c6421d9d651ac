# Every target that runs our code goes through the locked environment in .venv.
SHELL := /bin/bash
PY := .venv/bin/python
UV := .venv/bin/uv
# Tests start hundreds of Python processes. Where the environment forbids byte code each of them compiles all it imports,
# which doubles the processor time of a run.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: install lock lint test test-fast servers demo real stack stack-down generate help

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 18

install: .venv/.installed ## the locked environment, hashes checked

.venv/.installed: requirements.lock pyproject.toml
	python3 -m venv .venv
	.venv/bin/python -m pip install --quiet --require-hashes --no-deps -r <(awk '/^uv==/{p=1} p{print} p&&!/\\$$/{exit}' requirements.lock)
	$(UV) pip sync --quiet --require-hashes requirements.lock
	$(UV) pip install --quiet --no-deps --no-build-isolation -e .
	touch $@

generate: install ## what is built from the code: the AsyncAPI page, alert rules, dashboards, the arrows; tests hold it against the code
	$(PY) -m monitor.asyncapi > build-asyncapi.tmp && mv build-asyncapi.tmp monitor/asyncapi.yaml
	$(PY) -m monitor.lifecycle.diagram < monitor/lifecycle/README.md > build-arrows.tmp && mv build-arrows.tmp monitor/lifecycle/README.md
	$(PY) deploy/prometheus/build.py
	$(PY) -m monitor.translation.update
	.venv/bin/sandbox-monitor dashboards build

lock: install ## resolve again; the file names no registry
	$(UV) pip compile pyproject.toml --extra monitor --group dev --generate-hashes --no-emit-index-url --no-header --no-annotate --python-version 3.11 -q -o requirements.lock

test: lint servers ## lint, then all tests but `long` ones, on real servers, which it installs (Prometheus, Chromium, Kafka ...); 20 minutes
	$(PY) -m pytest -m "not long" -n 4 $(BY_FILE) $(ARGS)

test-fast: install ## unit, contract, property and replay tests, without servers, in five minutes; ARGS="-k halt" selects
	FAST=1 $(PY) -m pytest -m "not long and not slow and not kafka and not servers" -n 2 $(BY_FILE) $(IN_PROCESS) $(ARGS)

# Folders whose tests run inside one process, and the doctests.
IN_PROCESS = tests/unit tests/contract tests/acts tests/country tests/ledger tests/property tests/replay detectors monitor
# Files are handed to pytest processes one at a time, because the tests of a file share brokers and servers; tests/conftest.py
# puts the longest first. The full suite waits for time-outs more than it computes, so four processes keep two cores busy.
AXE = tests/browser/node_modules/axe-core/axe.min.js
BY_FILE = --dist loadfile --no-loadscope-reorder

servers: install
	deploy/local/install-test-servers.sh
	@[ -e $(AXE) ] || npm ci --prefix tests/browser --ignore-scripts --no-audit --no-fund --silent
	$(PY) -m monitor.testing.broker_runtime

lint: install ## ruff and mypy
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy

demo: install ## a simulated fleet on the embedded runtime, with the board; ARGS="--for 30" ends it by itself
	.venv/bin/sandbox-monitor demo $(ARGS)

real: install ## replay the three real data sets; pictures in build/real
	$(PY) -m monitor real

stack: install ## the real stack on loopback, with logins and TLS (OPEN=1: without; SANDBOX=1: founded): Kafka, worker, actors, Prometheus; waits until all is ready
	deploy/local/install-test-servers.sh
	$(PY) deploy/stack.py up $(if $(OPEN),--open) $(if $(SECURE),--secure) $(if $(SANDBOX),--sandbox) $(ARGS)

stack-down: ## stops it
	$(PY) deploy/stack.py down

.PHONY: test-halt
test-halt: servers ## halts under faults with real processes, 100 runs of each; QUICK=1: 5; one GOAL line per promise
	@status=0; \
	$(PY) tests/halt/run.py $(ARGS) || status=1; \
	$(PY) -m pytest -q -s tests/property/test_sdk_forgery.py tests/property/test_forgery.py | grep -E '^GOAL|failed|error' ; [ $${PIPESTATUS[0]} = 0 ] || status=1; \
	$(PY) tests/bench/guard.py | grep ^GOAL || status=1; \
	exit $$status

.PHONY: bench-notify
bench-notify: servers ## alerts under faults, in a flood, their delay, and the mutation score of the rules; GOAL lines; half an hour
	@status=0; for bench in pair flood latency rule_mutants; do $(PY) -m tests.bench.notify.$$bench || status=1; done; exit $$status

.PHONY: country
country: servers ## a year of a simulated country on Kafka: 200 pilots, 30 firms, then with a silent authority; QUICK=1: 12 pilots; one GOAL line per promise
	$(PY) -m tests.country $(ARGS)

.PHONY: test-security
test-security: servers ## what a hostile firm may not do, on real brokers; QUICK=1: fewer attempts; one GOAL line per promise
	$(if $(QUICK),,FULL=1) $(PY) -m pytest -q $(if $(QUICK),-m "not long") -n 2 $(BY_FILE) tests/security $(ARGS)

.PHONY: fuzz
fuzz: install ## 1,000,000 random hostile requests to every HTTP server; ARGS="--requests N --seed S --seconds T"
	$(PY) -m tests.security.http_fuzz $(ARGS)

.PHONY: bench-detection
bench-detection: install ## measure the detectors by simulation; QUICK=1 within ten minutes; picture in build/bench
	$(PY) -m monitor bench detection $(ARGS)

.PHONY: test-long
# 340 histories meet a real broker with real worker processes; the cheap ones are counted apart.
HISTORIES := $(if $(QUICK),--real 25 --memory 30 --sqlite 4 --kills 20,--real 300 --brokers 8 --memory 608 --sqlite 60 --kills 200)
test-long: install ## 1,000 histories of random faults, then randomized and `long` tests in full; QUICK=1: 59 histories; GOAL lines
	$(PY) -m monitor.testing.history $(HISTORIES) $(ARGS)
	$(if $(QUICK),,FULL=1 $(PY) -m pytest -n 2 $(BY_FILE) $(FULL_STRENGTH))

# Tests that draw fewer examples in `make test` than here (tests/strength.py), and those marked `long`.
FULL_STRENGTH = tests/contract tests/acts tests/country tests/ledger tests/property tests/failure tests/replay tests/unit tests/integration/test_alert_flood.py tests/integration/test_alertmanager_pair.py tests/integration/test_stack.py tests/integration/test_kubernetes.py tests/integration/test_walk_of_pages.py tests/integration/test_walk_of_ledger.py

.PHONY: test-acts
test-acts: install ## every act by every role in every state, and a random walk of 100,000 acts; GOAL lines
	$(PY) -m tests.acts.run $(ARGS)

.PHONY: walk
walk: install ## the pages for a firm and a regulator, typed as a new user would; GOAL lines: seconds from `sandbox init` to a running pilot
	@$(PY) -m pytest -q -s -n 0 tests/integration/test_walk_of_pages.py -k processes $(ARGS) | grep -E '^\.?GOAL|passed|failed|^E ' ; [ $${PIPESTATUS[0]} = 0 ]

.PHONY: test-ledger
test-ledger: servers ## the ledger as a stranger checks it: proofs, tampering, witnesses, outside verifiers; QUICK=1; one GOAL line per promise
	$(PY) -m tests.ledger.run $(ARGS)

.PHONY: bench-stream
bench-stream: install ## the Kafka worker and its peers on one broker; QUICK=1 within five minutes
	$(PY) -m monitor bench stream $(ARGS)

.PHONY: package audit
package: install ## the wheel (built twice, compared), its bill of materials (CycloneDX) and SHA256SUMS, in dist/
	$(PY) deploy/supply/package.py

AUDIT := pip-audit==2.10.1
audit: install ## known vulnerabilities of the locked libraries; needs PyPI's database, and fails where it cannot ask it
	$(UV) tool run $(AUDIT) --requirement requirements.lock --require-hashes --disable-pip --strict

.PHONY: verifier
verifier: install ## the verifier of ledgers as one file, dist/sandbox-verifier.pyz: needs Python and, for signatures, cryptography
	$(PY) -m monitor.verifier.package dist/sandbox-verifier.pyz
