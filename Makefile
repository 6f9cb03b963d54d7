# Everything a developer runs. `make help` lists the targets; parts of the system add theirs through the includes below.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

PYTHON3 ?= python3
PYTHON := $(CURDIR)/.venv/bin/python
CACHE := $(or $(ORDERMESH_CACHE),$(if $(filter 0,$(shell id -u)),/var/cache,$(or $(XDG_CACHE_HOME),$(HOME)/.cache))/ordermesh)
XDS_VERSION := $(shell sed -n '/^\[xds-protos\]/,/^version/s/^version = "\(.*\)"/\1/p' deploy/versions.toml)
XDS_PROTOS := $(CACHE)/xds-protos-$(XDS_VERSION)

# What is ours, as far as it is there, and its tests from the quick to the slow.
CODE := $(wildcard mesh services gateway deploy bench tests tools)
TESTS := $(wildcard tests/unit tests/contract tests/integration tests/e2e)

export PATH := $(CURDIR)/.venv/bin:$(PATH)
# The environment is shared by checkouts, so what belongs to this one is named here.
export PYTHONPATH := $(CURDIR):$(CURDIR)/build/stubs:$(XDS_PROTOS)

##@ Start here

.PHONY: help
help: ## List the targets
	@awk 'BEGIN { FS = ":.*## " } \
	  /^##@/ { printf "\n%s\n", substr($$0, 5) } \
	  /^[a-zA-Z0-9_-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

-include deploy/native/native.mk deploy/native/provision.mk services/services.mk gateway/gateway.mk bench/bench.mk

##@ Build

.PHONY: venv
venv: ## Make the Python environment (cached, shared by checkouts) and link it as .venv
	@$(PYTHON3) tools/environment.py

.PHONY: proto
proto: venv ## Generate typed stubs and descriptors from the contracts, when they changed
	@$(PYTHON) tools/stubs.py

.PHONY: xds
xds: venv
	@[ -d $(XDS_PROTOS) ] || $(PYTHON) -m deploy.native install xds-protos

.PHONY: wheel
wheel: proto ## Build the wheels for other teams, contracts and mesh, into dist/
	@$(PYTHON) tools/wheel.py

.PHONY: lock
lock: ## Resolve the Python dependencies anew (A=--upgrade moves all)
	@PYTHON3=$(PYTHON3) tools/lock.sh $(A)

.PHONY: vendor
vendor: venv ## Refresh third_party/ after its packages moved
	@$(PYTHON) tools/vendor_protos.py

##@ Check

.PHONY: format
format: proto ## Format Python and contracts, and mend what ruff can
	@ruff check --fix --quiet $(CODE) docs || true
	@ruff format --quiet $(CODE) docs
	@buf format --write proto

.PHONY: lint
lint: proto xds ## ruff, mypy --strict, import walls, dependencies, buf, no machine paths
	ruff check $(CODE) docs
	ruff format --check $(CODE) docs
	mypy $(CODE)
	lint-imports --no-cache --no-logo
	deptry .
	buf lint
	buf format --diff --exit-code proto
	tools/breaking.sh
	$(PYTHON) tools/check_committed.py
	$(PYTHON) tools/order_states.py --check
	$(PYTHON) tools/permissions.py --check
	$(PYTHON) tools/settings.py --check
	$(MAKE) edge-config A=--validate

.PHONY: test-unit
test-unit: proto xds ## Unit tests: no server, a minute
	$(PYTHON) -m pytest tests/unit $(A)

.PHONY: test-one
test-one: proto xds ## Some tests of any kind: make test-one t=tests/integration/mesh [A="-k name"]
	$(PYTHON) -m pytest $(or $(t),$(error say which: t=tests/unit/mesh)) $(A)

.PHONY: test
test: lint ## Everything: lint, then unit, contract, integration and end-to-end tests
	$(PYTHON) -m deploy.native install
	$(PYTHON) -m pytest $(TESTS) $(A)

.PHONY: chaos
chaos: proto xds ## Kills, hangs, outages and rotations under load: a quarter of an hour; figures in build/chaos.json
	$(PYTHON) -m deploy.native install
	$(PYTHON) -m pytest tests/chaos --ignore=tests/chaos/soak $(A)

.PHONY: soak
soak: proto xds ## Shopping while programs die at random, then the audit: make soak [m=10] [seed=1]; figures in build/soak.json
	$(PYTHON) -m deploy.native install
	ORDERMESH_SOAK_MINUTES=$(m) ORDERMESH_SOAK_SEED=$(seed) $(PYTHON) -m pytest tests/chaos/soak $(A)

.PHONY: docs
docs: proto xds ## Write what is made of docs/ (states, permissions, settings), and the reference of contracts and events into build/docs/
	@$(PYTHON) tools/contract_reference.py build/docs
	@$(PYTHON) tools/order_states.py
	@$(PYTHON) tools/permissions.py
	@$(PYTHON) tools/settings.py

.PHONY: clean
clean: ## Remove generated files; the cache and the runtime state stay
	@rm -rf build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
