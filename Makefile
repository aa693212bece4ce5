# Everything a newcomer needs; `make` alone lists it.
.DEFAULT_GOAL := help
SHELL := bash
VENV := .venv
BIN := $(VENV)/bin
CLUSTER ?= var/quickstart
# uv fetches and builds in parallel; this one pin brings all others (requirements/lock.txt).
UV := uv==0.13.9
# uv trusts the machine's authorities, as other programs do, rather than a list of its own.
export UV_SYSTEM_CERTS := true
PARTS := proto libs/common $(wildcard services/*)

.PHONY: help
help: ## This list
	@grep -hE '^[a-z%-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z%-]+):.*## (.*)/\1\t\2/' | expand -t 18

$(VENV)/bin/uv:
	@scripts/system-packages base
	@python3 -m venv $(VENV)
	@$(BIN)/pip --quiet install $(UV)

# What is installed is stamped, so that a second run costs nothing.
$(VENV)/.installed: requirements/lock.txt $(wildcard */pyproject.toml libs/*/pyproject.toml services/*/pyproject.toml) | $(VENV)/bin/uv
	@echo "Installing Python packages into $(VENV) …"
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes --compile-bytecode --requirement requirements/lock.txt
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation $(PARTS:%=--editable %)
	@$(BIN)/python -m compileall -q $(PARTS)
	@touch $@

.PHONY: venv
venv: $(VENV)/.installed ## The virtual environment with all parts, tests' tools included

# In CI every program that tests need has to be there; at home, tests of what is missing are skipped.
.PHONY: test-packages
test-packages:
	@scripts/system-packages test || [ "$$CI" != true ]

.PHONY: test
test: venv test-packages ## All tests and checks, with the servers they need; one summary
	@$(BIN)/python scripts/test

test-%: venv test-packages ## Tests of one part, e.g. test-server
	@$(BIN)/python scripts/test $*

.PHONY: lint
lint: venv ## Check style and types
	@$(BIN)/python scripts/test lint types

# The rivals' packages stay out of our own environment.
var/bench/venv/.installed: bench/rivals/requirements.txt | venv
	@scripts/system-packages bench
	@$(BIN)/uv venv --quiet --clear var/bench/venv
	@$(BIN)/uv pip install --quiet --python var/bench/venv/bin/python --require-hashes --requirement $<
	@touch $@

.PHONY: bench bench-short
bench: var/bench/venv/.installed ## Everything measured: requests beside others, the system, scheduler, connectors, changes, pages, containers; an hour
	@$(BIN)/python -m bench.run
	@$(BIN)/python -m bench.system
	@$(BIN)/python -m bench.slow_clients
	@$(BIN)/python -m bench.scheduler
	@$(BIN)/python -m bench.messages
	@$(BIN)/python -m bench.propagation
	@$(BIN)/python -m bench.enmasse
	@$(BIN)/python -m bench.webadmin
	@$(BIN)/python -m bench.containers
	@$(BIN)/python -m bench.report

bench-short: var/bench/venv/.installed ## Our server beside others in two minutes, less exact
	@$(BIN)/python -m bench.run --short

.PHONY: bench-scheduler
bench-scheduler: venv ## How late jobs start at 100 fires a second, and how long 100,000 take to load; about four minutes
	@scripts/system-packages quickstart
	@$(BIN)/python -m bench.scheduler

.PHONY: bench-messages
bench-messages: var/bench/venv/.installed ## Messages through connectors beside pika, FastStream and Celery; about four minutes
	@$(BIN)/python -m bench.messages

.PHONY: bench-propagation
bench-propagation: venv ## How soon changes and deployments are live on four servers, and the same after Redis restarts; about three minutes
	@scripts/system-packages bench
	@$(BIN)/python -m bench.propagation

.PHONY: bench-enmasse
bench-enmasse: venv ## How long a file of 1,000 objects takes to plan and to apply; about three minutes
	@scripts/system-packages bench
	@$(BIN)/python -m bench.enmasse

.PHONY: bench-webadmin
bench-webadmin: venv ## How long pages take with 1,000 objects and 100,000 rows in the audit log; about three minutes
	@scripts/system-packages quickstart
	@$(BIN)/python -m bench.webadmin

.PHONY: bench-containers
bench-containers: venv ## Idle memory, size of images and time to healthy of docker-compose.yml, where a Docker engine answers
	@$(BIN)/python -m bench.containers
	@$(BIN)/python -m bench.report

.PHONY: bench-instructions
bench-instructions: venv ## Machine instructions that a request takes, and whether they are in their budget
	@scripts/system-packages test
	@$(BIN)/python -m bench.instructions

.PHONY: format
format: venv ## Rewrite the code in our style
	@$(BIN)/ruff check --fix
	@$(BIN)/ruff format

.PHONY: docs
docs: venv ## Write the reference in docs/ anew, from what is declared
	@$(BIN)/python scripts/reference.py

.PHONY: lock
lock: venv ## Pin what the pyproject.toml files ask for; UPGRADE=1 takes the newest releases
	@PATH=$(abspath $(BIN)):$$PATH requirements/lock.sh $(if $(UPGRADE),--upgrade)

.PHONY: release
release: venv ## Wheels, image, news of a part and the list of what it runs with: SERVICE=server; AUDIT=1 looks for known weaknesses
	@scripts/release $(SERVICE)

.PHONY: quickstart
quickstart: ## A cluster of two servers behind HAProxy, with the examples deployed and called
	@scripts/system-packages quickstart
	@$(MAKE) --no-print-directory venv
	@$(BIN)/zato quickstart create $(CLUSTER)
	@$(BIN)/zato quickstart start $(CLUSTER)
	@ZATO=$(BIN)/zato examples/load $(CLUSTER)

.PHONY: down
down: ## Stop the quickstart cluster
	@$(BIN)/zato quickstart stop $(CLUSTER)
