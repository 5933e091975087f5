# The repository's folder, whatever folder make was called from; spaces in it are fine.
ROOT := $(shell cd "$$(dirname "$$(printf '%s' '$(MAKEFILE_LIST)' | sed 's/^ //')")" && pwd)
IN := cd "$(ROOT)" &&
RUN := $(IN) exec .venv/bin/python

COMPILE := .venv/bin/uv pip compile --quiet --system-certs --universal --python-version 3.11 --generate-hashes --no-annotate \
	--custom-compile-command "make lock" $(if $(UPGRADE),--upgrade)

# The Python that makes the environment; any 3.11 to 3.14.
PYTHON ?= python3
# Run the tests of one folder or file: make test TESTS=tests/unit/libs
TESTS ?=
SUITE ?= main
DETACH ?=
# Where the stack keeps its state and where its gateway listens.
export FUZZ_SEED ANTIPHON_HOME ANTIPHON_PORT CHAOS_SECONDS CHAOS_SEED CHAOS_SEEDS
ifeq ($(strip $(ANTIPHON_HOME)),)
unexport ANTIPHON_HOME
endif
ifeq ($(strip $(ANTIPHON_PORT)),)
unexport ANTIPHON_PORT
endif

MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help

.PHONY: help
help: ## Print this list
	@$(IN) awk 'BEGIN { FS = ":.*## " } \
		/^##@/ { printf "\n%s\n", substr($$0, 5) } \
		/^[a-z-]+:.*## / { printf "  %-18s %s\n", $$1, $$2 }' Makefile

##@ Run
.PHONY: setup up down migrate
setup: ## Install everything into .venv
	@$(NEEDS_PYTHON) $(IN) "$(PYTHON)" deploy/setup/install.py

up: ready ## Start the whole system and speak a first sentence; DETACH=1 returns when it is ready
	@$(IN) exec .venv/bin/antiphon up $(if $(filter-out 0 no false,$(DETACH)),--detach)

down: ready ## Stop it
	@$(IN) exec .venv/bin/antiphon down

migrate: ready ## Bring the databases of the running system to the current schema
	@$(IN) exec .venv/bin/antiphon migrate

##@ Test
.PHONY: test check bench fuzz chaos chaos-short chaos-long compose-test
ALONE := tests/integration/poison tests/integration/cluster
# What takes longest begins first, so that all are done at about the same time.
LONGEST := tests/e2e $(addprefix tests/integration/,gateway generation) tests/document \
	$(addprefix tests/integration/,backup embedding_service speech shuffled)
INTEGRATION := $(patsubst %/__init__.py,%,$(sort $(wildcard tests/integration/*/__init__.py)))
test: ready ## Run all tests, or those in TESTS=path
ifneq ($(strip $(TESTS)),)
	@$(RUN) -m pytest $(TESTS)
else
	@$(RUN) -m pytest -n auto --dist worksteal tests/unit tests/contract
	# Each folder on servers of its own: what one service's tests tell the broker, another's would hear. And the
	# supervisor under test ends every child of its process that it did not start, other tests' servers too.
	# One more at a time than there are cores: they mostly wait for servers and for events. What is measured, and the
	# cluster's three brokers, get the machine alone.
	@$(IN) mkdir -p .cache/tests && printf '%s\n' $(LONGEST) $(filter-out $(ALONE) $(LONGEST),$(INTEGRATION)) | xargs -P $$(($$(nproc 2>/dev/null || echo 2) + 1)) -I @ sh tests/folder.sh @
	@$(IN) for folder in $(ALONE); do sh tests/folder.sh $$folder || exit 1; done
endif

check: lint contracts-check test chaos-short ## Run what CI runs: lint, types, import rules, contracts, tests, kills

bench: ready ## Measure; SUITE=main by default
	@$(RUN) -m tests.bench $(SUITE)

fuzz: ready ## Send 20,000 requests made of the OpenAPI document, and check every answer; FUZZ_SEED
	@$(RUN) -m tests.document

chaos: ready ## Faults of every kind under load, then an audit; CHAOS_SECONDS, CHAOS_SEED, CHAOS_SEEDS
	@$(RUN) -m tests.chaos

chaos-short: ready ## The same in short, and each outage once: the part of it that check runs
	@$(IN) CHAOS_SECONDS=45 CHAOS_SEED=20 CHAOS_SEEDS= .venv/bin/python -m tests.chaos
	@$(RUN) -m pytest -n 0 -m "not long" tests/chaos

chaos-long: ready ## The long outages: a minute without the broker, restart after restart
	@$(RUN) -m pytest -n 0 -m long tests/chaos

compose-test: ready ## Boot the containers, run the main job on them, take them down
	@$(RUN) -m tests.compose

##@ Write
.PHONY: format lint contracts contracts-check contracts-release openapi-release lock clean
format: ready ## Format the code and fix what lint can fix
	@$(IN) .venv/bin/ruff check --fix-only --quiet . && .venv/bin/ruff format .

lint: ready ## Check style, format, types and import rules
	@$(IN) failed=; \
	for part in "ruff check" "ruff format --check" "mypy" "lint-imports --no-logo"; do \
		echo "--- $$part"; .venv/bin/$$part || failed="$$failed  $$part\n"; \
	done; \
	[ -z "$$failed" ] || { printf "lint: these failed, see above (make format fixes some of it):\n$$failed" >&2; exit 1; }

contracts: ready ## Generate libs/contracts/antiphon and docs/events.md from proto/, and the OpenAPI document
	@$(RUN) -m deploy.setup.contracts generate
	@$(RUN) -m deploy.setup.openapi generate

contracts-check: ready ## Check the contracts: lint, compatibility, generated code and documentation
	@$(RUN) -m deploy.setup.contracts check
	@$(RUN) -m deploy.setup.openapi check

contracts-release: ready ## Keep today's contracts as a release that later ones must not break
	@$(RUN) -m deploy.setup.contracts release

openapi-release: ready ## The same for the HTTP API: keep the OpenAPI document as a release
	@$(RUN) -m deploy.setup.openapi release

lock: ready ## Resolve the dependencies anew into requirements/; UPGRADE=1 takes the newest
	@$(IN) $(COMPILE) --all-extras pyproject.toml --output-file requirements/lock.txt
	@$(IN) $(COMPILE) --extra speech --extra embedding --extra analytics --constraint requirements/lock.txt pyproject.toml \
		--output-file requirements/runtime.txt
	@$(IN) $(COMPILE) --no-deps requirements/models.in --output-file requirements/models.txt
	@$(IN) $(COMPILE) requirements/installer.in --output-file requirements/installer.txt
	@$(IN) for sdk in requirements/sdks/*.in; do $(COMPILE) "$$sdk" --output-file "$${sdk%.in}.txt" || exit 1; done

clean: ## Remove the environment and all caches, but no state of a stack
	@$(IN) rm -rf .venv .cache .bench .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis antiphon.egg-info
	@$(IN) find deploy libs services tests -name __pycache__ -type d -prune -exec rm -rf {} +

# Set up without a word when there is nothing to do.
.PHONY: ready
ready:
	@$(NEEDS_PYTHON) $(IN) "$(PYTHON)" deploy/setup/install.py --quiet

define NEEDS_PYTHON
command -v "$(PYTHON)" >/dev/null || { \
	echo "setup: no $(PYTHON) on PATH. Install Python 3.11 to 3.14 (Debian, Ubuntu: apt install python3 python3-venv;" >&2; \
	echo "macOS: brew install python@3.12) and run again, or name one: make PYTHON=/path/to/python3.12 $@" >&2; exit 1; };
endef
