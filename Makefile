# lbftp: everything from nothing, each target repeatable. Needs make, git, Python 3.11 and, for missing packages, root.
#
#   LBFTP_VAR   folder of what a site keeps (default ./var); two checkouts or two folders run side by side
#   LBFTP_PORT  where the site listens (default: demo any free port, run 8000 if free)
#   EXIT=1      `make demo` ends after the job
#   PYTHON      the Python that makes .venv (default python3)
#   ARGS        more words for pytest, e.g. make test-web ARGS="-k sign_in -x"

PYTHON ?= python3
LBFTP_VAR ?= $(CURDIR)/var
VAR := $(abspath $(LBFTP_VAR))
PY := .venv/bin/python
CODE := lbftp workers lab ops tests manage.py
# Quick ones first, then everything that is not named here, then what needs processes, a browser or virtual routers.
EARLY := tests/core tests/test_layers.py
LATE := tests/ops tests/workers tests/browser tests/lab_machines tests/lab tests/faults tests/breakages
# On virtual routers `make test` takes the main job, probes, refusals, ways back, and a sample of the faults and of the
# breakages. The rest takes its time: `make test-lab` has all of it, of the series (faults, breakages, proofs) a sample.
APART := $(filter-out tests/lab/test_probes.py tests/lab/test_rollback.py,$(wildcard tests/lab/test_*.py))
ALL := $(sort $(patsubst %/,%,$(wildcard tests/*/)) $(wildcard tests/test_*.py))
TESTS := $(filter $(EARLY),$(ALL)) $(filter-out $(EARLY) $(LATE) %/__pycache__,$(ALL)) $(foreach t,$(LATE),$(filter $(t),$(ALL)))
WEB := $(filter-out tests/lab tests/faults tests/breakages tests/kernel tests/daemons tests/lab_machines tests/browser tests/workers tests/core tests/ops,$(TESTS))
PYTEST = LBFTP_VAR=$(VAR)/test $(PY) -m pytest $(ARGS)

export LBFTP_VAR = $(VAR)
export LBFTP_LAB_DIR ?= $(VAR)/lab
unexport DJANGO_SETTINGS_MODULE
.DEFAULT_GOAL := help
.PHONY: help demo run test test-core test-long test-web test-postgres test-ops test-browser test-lab test-faults test-proofs test-drain test-breakages test-soak lint format lab-up lab-reset lab-down bench clean \
        ready-run ready-dev ready-test

help: ## what there is
	@awk -F':.*## ' '/^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

ready-run:
	@$(PYTHON) ops/bootstrap.py run

ready-dev:
	@$(PYTHON) ops/bootstrap.py dev

ready-test:
	@$(PYTHON) ops/bootstrap.py dev --programs checkers --programs browser --programs ssh

demo: ready-run ## the whole job on virtual routers, then the site to look around in; EXIT=1 ends after the job
	@exec $(PY) -m ops.demo $(if $(filter-out 0,$(EXIT)),--exit)

run: ready-run ## the site for your own routers
	@exec $(PY) -m ops.stack run

test: ready-test ## core, web, services, sockets, processes, browser; on virtual routers the main job, ways back and faults
	@exec env LBFTP_VAR=$(VAR)/test $(PY) -m ops.testing $(ARGS) $(addprefix --ignore=,$(APART)) $(filter-out $(APART),$(TESTS))

test-core: ready-test ## the pure core and the layers; seconds
	@$(PYTEST) $(filter $(EARLY),$(TESTS))

test-long: ready-test ## more of what is generated: 100,000 damaged texts for the readers, many clusters in a kernel
	@LBFTP_FUZZ=100000 LBFTP_LONG=1 $(PYTEST) tests/core tests/kernel tests/changes/test_change_workflow.py

test-web: ready-test ## pages, services, sockets, command line, documents
	@$(PYTEST) $(WEB)

test-postgres: ready-test ## the same on PostgreSQL instead of SQLite
	@LBFTP_VAR=$(VAR)/test $(PY) -m tests.postgres $(PY) -m pytest $(ARGS) $(WEB)

test-ops: ready-test ## starting and stopping the site
	@$(PYTEST) tests/ops

test-browser: ready-test ## headless Chromium
	@$(PYTEST) tests/browser

test-lab: ready-test ## everything that needs virtual routers, with a sample of each series
	@$(PYTEST) $(filter tests/workers tests/lab_machines tests/lab tests/faults tests/breakages,$(TESTS))

# Every case leaves a row; the next start goes on with what has none. LBFTP_FAULTS_SHARD=1/2 takes every second case,
# LBFTP_FAULTS_SECONDS=3600 begins no case later than that, LBFTP_FAULTS_RESULTS is where the rows are kept.
test-faults: ready-test ## every fault at every boundary of an apply, on virtual routers: hours, goes on where it ended; writes docs/faults.md
	@LBFTP_FAULTS=all $(PYTEST) tests/faults; status=$$?; LBFTP_VAR=$(VAR)/test $(PY) -m tests.faults.table && exit $$status

test-proofs: ready-test ## every proof that disturbs, and maintenance, on virtual routers: restarts, reboots, failovers; half an hour
	@LBFTP_PROOFS=all $(PYTEST) tests/lab/test_proofs.py

test-drain: ready-test ## a real server is drained while a client uploads 200 MB to it, on virtual routers
	@LBFTP_DRAIN_MEGABYTES=200 $(PYTEST) tests/lab/test_drain.py

test-breakages: ready-test ## a working cluster broken in some fifty ways, each found and explained; writes docs/breakages.md
	@LBFTP_BREAKAGES=all $(PYTEST) tests/breakages; code=$$?; LBFTP_VAR=$(VAR)/test $(PY) -m tests.breakages.series; exit $$code

test-soak: ready-test ## the site under thousands of pipelined, cached and aborted requests, 40 strangers at /readyz, ten minutes of a browser; half an hour
	@LBFTP_SOAK=all $(PYTEST) -s tests/ops/test_unanswered.py tests/ops/test_strangers.py tests/browser/test_browsing.py

lint: ready-dev ## formatting, rules, types, templates, layers
	@$(PY) -m ruff format --check $(CODE)
	@$(PY) -m ruff check $(CODE)
	@$(PY) -m mypy $(CODE)
	@$(PY) -m djlint templates --lint --quiet
	@$(PYTEST) -q tests/test_layers.py

format: ready-dev ## put formatting right
	@$(PY) -m ruff format $(CODE)
	@$(PY) -m ruff check --fix-only --quiet $(CODE)

lab-up: ready-run ## start the virtual routers
	@$(PY) -m lab up

lab-reset: ready-run ## put the virtual routers back to how they were built
	@$(PY) -m lab reset

lab-down: ready-run ## stop the virtual routers
	@$(PY) -m lab down

bench: ready-run ## how fast many routers are observed, against plain ssh
	@$(PYTHON) ops/bootstrap.py run --programs ssh
	@exec $(PY) -m ops.bench

clean: ## stop the virtual routers, remove what was made here (the routers' images stay in the cache)
	@if [ -x $(PY) ]; then $(PY) -m lab down; fi
	@rm -rf .venv var .mypy_cache .ruff_cache .pytest_cache .hypothesis .bootstrap.lock .checkers
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
