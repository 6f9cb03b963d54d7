##@ The edge

GENERATOR_VERSION := $(shell sed -n '/^\[protoc-gen-openapi\]/,/^version/s/^version = "\(.*\)"/\1/p' deploy/versions.toml)
GENERATOR := $(CACHE)/protoc-gen-openapi-$(GENERATOR_VERSION)/protoc-gen-openapi

.PHONY: routes
routes: proto xds ## Every REST route with who may call it, its deadline, retries and rate
	@$(PYTHON) -m gateway routes

.PHONY: edge-config
edge-config: proto xds ## What Envoy is told, made from the contracts and gateway/edge.toml (A=--validate has Envoy judge it)
	@$(PYTHON) -m deploy.native install envoy protoc-gen-openapi >/dev/null
	@$(PYTHON) -m deploy.native edge-config $(A)

.PHONY: edge-restart
edge-restart: venv ## Put a new Envoy in the place of the one that runs, without a pause; a new configuration is taken up by make up
	@$(PYTHON) -m deploy.native edge-restart

.PHONY: openapi
openapi: proto xds ## Describe the REST API in build/openapi.json, as the edge serves it at /openapi.json
	@[ -x $(GENERATOR) ] || $(PYTHON) -m deploy.native install protoc-gen-openapi
	@$(PYTHON) -m gateway openapi --generator $(GENERATOR) >build/openapi.new && mv build/openapi.new build/openapi.json

.PHONY: client
client: openapi ## Make the typed TypeScript client of the REST API into build/client, and a package of it into dist/
	@$(PYTHON) -m tools.client
