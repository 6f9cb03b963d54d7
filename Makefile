# Everything a developer runs. `make help` lists the targets; parts of the system add theirs through the includes below.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

PYTHON3 ?= python3
PYTHON := $(CURDIR)/.venv/bin/python
CACHE := $(or $(ORDERMESH_CACHE),$(if $(filter 0,$(shell id -u)),/var/cache,$(or $(XDG_CACHE_HOME),$(HOME)/.cache))/ordermesh)
XDS_VERSION := $(shell sed -n '/^\[xds-protos\]/,/^version/s/^version = "\(.*\)"/\1/p' deploy/versions.toml)

export PATH := $(CURDIR)/.venv/bin:$(PATH)
# The environment is shared by checkouts, so what belongs to this one is named here.
export PYTHONPATH := $(CURDIR):$(CURDIR)/build/stubs:$(CACHE)/xds-protos-$(XDS_VERSION)

##@ Start here

.PHONY: help
help: ## List the targets
	@awk 'BEGIN { FS = ":.*## " } \
	  /^##@/ { printf "\n%s\n", substr($$0, 5) } \
	  /^[a-zA-Z0-9_-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: venv
venv: ## Make the Python environment (cached, shared by checkouts) and link it as .venv
	@$(PYTHON3) tools/environment.py

.PHONY: proto
proto: venv ## Generate typed stubs and descriptors from the contracts
	@$(PYTHON) tools/stubs.py

-include deploy/native/native.mk deploy/native/provision.mk gateway/gateway.mk bench/bench.mk
