# `make` lists what there is to make.
.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.ONESHELL:
.PHONY: help up deploy down local check test model chaos simulate fuzz faults bench bench-quick bench-ci bench-scale soak bench-instructions bench-peers bench-python bench-engine bench-proofs bench-lanes bench-parts abuse lint scan chart types unit coverage reference newest pictures requirements clean

PYTHON ?= python3
BIN := .venv/bin
SCANNERS := .venv/scanners
CHART := .venv/chart

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

# a machine may allow fewer open files than compose asks for, and then no container starts
allow_files = limit=$$(ulimit -Hn); if [[ $$limit != unlimited && $$limit -lt 50000 ]]; then export NOFILE=$${NOFILE:-$$limit}; fi

up: ## start the stack in Docker and wait until it is healthy (port 80; HTTP_PORT=8080 make up)
	@$(allow_files)
	docker compose up --detach --build --wait

deploy: ## build, and replace the web and worker containers one by one, while the stack serves (ARGS=--help)
	@$(allow_files)
	deploy/rolling.sh $(ARGS)

down: ## stop the stack; what Redis and Prometheus hold is kept
	docker compose down

local: .venv/ready ## run the stack without Docker, on port 8080 (HTTP_PORT=…), until Ctrl-C
	$(BIN)/python -m local

check: .venv/ready ## the fast tests: lint, types, unit tests; under a minute
	@$(MAKE) --no-print-directory --jobs=3 --output-sync=target lint types unit

test: .venv/ready ## every test, on the real stack, and what each part took; installs what is missing (Debian, root)
	$(BIN)/python -m tests.suite

model: .venv/ready ## check the models of lease and session, and that each of their rules is needed; a minute (Debian: spin)
	$(BIN)/pytest -q -s tests/model

chaos: .venv/ready ## the chaos suite in its long form, half an hour (Docker for its half; CHAOS_TABLE=FILE keeps the table)
	CHAOS=full $(BIN)/pytest tests/chaos

simulate: .venv/ready ## histories of the whole service on virtual time, fresh seeds for a minute (ARGS=--minutes=60, ARGS=--help)
	@$(BIN)/python -m tests.simulation $(ARGS)

fuzz: .venv/ready ## the readers of what clients send, tried with fresh inputs for a minute (ARGS='--minutes 60', ARGS=--help)
	@$(BIN)/python -m tests.fuzz $(ARGS)

faults: ## what make fault-NAME can break in the running stack, on purpose (FOR=SECONDS)
	@faults/fault.sh --help

fault-%:
	@faults/fault.sh $* $(FOR)

bench: .venv/bench ## what a job costs through the queue and without it, side by side, ten minutes (needs a C compiler; ARGS=--help)
	@$(BIN)/python -m tests.bench whole $(ARGS)

bench-quick: .venv/bench ## the same in under two minutes, the closed loops alone (ARGS=--help)
	@$(BIN)/python -m tests.bench quick $(ARGS)

bench-scale: .venv/bench ## 50,000 sockets at once, then 1,000,000 jobs at once, some minutes (needs a C compiler and 20,000 open files a process)
	@$(BIN)/python -m tests.bench.scale sockets
	@$(BIN)/python -m tests.bench.scale queue

soak: .venv/bench ## half load for an hour, and what memory each part takes meanwhile (ARGS=--help)
	@$(BIN)/python -m tests.bench.soak $(ARGS)

bench-instructions: .venv/ready ## instructions that a job costs a web process and a worker, the same on a busy machine (needs valgrind; ARGS=--help)
	@$(BIN)/python -m tests.bench.instructions $(ARGS)

bench-ci: .venv/ready
	@$(BIN)/python -m tests.bench ci $(ARGS)

bench-peers: .venv/ready ## what a job costs other queues behind WebSockets (Node, BullMQ, arq, Celery, Channels), ten minutes; PyPI, npm (ARGS=--help)
	@$(BIN)/python -m tests.bench.peers $(ARGS)

bench-python: .venv/bench ## the images' Python 3.14 for the benchmarks of processes (Debian; then ARGS='--python build/bench/python3.14/usr/bin/python3.14')
	@tests/bench/take_python.sh

bench-engine: .venv/bench ## compare primality tests by time and verdict, two minutes (ARGS=--quick, ARGS=--write, ARGS=--help)
	@$(BIN)/python -m tests.bench.engine $(ARGS)

bench-proofs: .venv/bench ## compare what proofs cost from PARI, FLINT, Math::Prime::Util::GMP and here, some minutes (ARGS=--quick)
	@$(BIN)/python -m tests.bench.proofs $(ARGS)

bench-lanes: .venv/ready ## what 12-digit numbers and 150-digit proofs wait for beside 5,000-digit numbers and 1,000-digit proofs; Docker (ARGS=--help)
	@$(BIN)/python -m tests.bench.lanes $(ARGS)

bench-parts: .venv/ready ## how one proof by elliptic curves scales over workers, in virtual time, some seconds (ARGS=--digits=1000, ARGS=--help)
	@$(BIN)/python -m tests.bench.parts $(ARGS)

abuse: .venv/ready ## what every other client notices while one abuses the service, forty minutes (ARGS=--help)
	@$(BIN)/python -m tests.abuse $(ARGS)

lint: .venv/ready
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/shellcheck --external-sources deploy/*.sh faults/*.sh nginx/*.sh redis/*.sh monitoring/*/*.sh services/*/*.sh tests/*.sh tests/*/*.sh .ci/run .ci/*.sh .ci/*/*.sh
	$(BIN)/hadolint services/*/Dockerfile
	if command -v luacheck >/dev/null; then luacheck --quiet services; else echo "luacheck (Debian: lua-check) is not here: Redis' scripts are not linted"; fi
	$(BIN)/oxlint nginx/static nginx/operators tests/javascript tests/bench/peers/node
	$(BIN)/python -m tests.requirements --check

scan: $(SCANNERS)/ready ## look for weaknesses that scanners know, in Python and in nginx' configuration
	@tests/scan/scan.sh $(SCANNERS)/bin

chart: .venv/ready $(CHART)/ready ## render the Helm chart, and check what comes against the schemas of Kubernetes, KEDA and the Prometheus Operator
	@CHART_TOOLS=$(CHART) $(BIN)/pytest -q tests/chart

types: .venv/ready
	$(BIN)/mypy

unit: .venv/ready
	$(BIN)/pytest -q --numprocesses=2 --dist=loadfile --no-loadscope-reorder tests/unit

coverage: .venv/ready ## which lines of services, clients and local the unit tests run
	$(BIN)/pytest -q -n 2 --dist=loadfile --cov --cov-report=term:skip-covered tests/unit

reference: .venv/ready ## write docs/metrics.md and docs/settings.md from the code
	$(BIN)/python -m reference

newest: .venv/ready ## run the tests of docs/borrowed.md with the newest versions of the libraries that it names
	$(BIN)/python -m tests.newest

pictures: .venv/ready ## take the README's pictures of the pages, from the real stack (Docker, Chromium)
	SCREENSHOTS=docs/pictures $(BIN)/pytest tests/browser/test_pictures.py

requirements: .venv/ready ## compile the requirements files from pyproject.toml (UPGRADE=--upgrade for newer versions)
	$(BIN)/python -m tests.requirements $(UPGRADE)

clean: ## remove what make made: the virtual environment, the local stack's state
	rm -rf .venv .local

.venv/ready: tests/requirements.txt
	tests/venv.sh $(PYTHON)
	@touch $@

.venv/bench: .venv/ready tests/bench/requirements.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all: -r tests/bench/requirements.txt
	@touch $@

$(CHART)/ready: .venv/ready tests/chart/requirements.txt tests/chart/take_helm.py
	$(BIN)/python -m venv $(CHART)
	$(CHART)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all: -r tests/chart/requirements.txt
	$(CHART)/bin/python tests/chart/take_helm.py $(CHART)/bin
	@touch $@

$(SCANNERS)/ready: .venv/ready tests/scan/requirements.txt
	$(BIN)/python -m venv $(SCANNERS)
	$(SCANNERS)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all: -r tests/scan/requirements.txt
	@touch $@
