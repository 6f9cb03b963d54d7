##@ Measure

.PHONY: bench
bench: proto ## Measure the running stack against a bare gRPC echo (A=--quick for a short run), into bench/reports/
	@$(PYTHON) -m bench $(A)

.PHONY: bench-discovery
bench-discovery: proto xds ## Measure a control plane with 1,000 endpoints and 200 clients, apart from any stack (A=--help)
	@$(PYTHON) -m bench.discovery $(A)

.PHONY: bench-growth
bench-growth: proto ## Measure get, list and place with 10 thousand and 1 million orders, apart from any stack (A=--help)
	@$(PYTHON) -m bench.growth $(A)

.PHONY: bench-edge
bench-edge: proto xds ## What the edge costs beside a direct gRPC call, and four times as much as a service carries (A=--help)
	@$(PYTHON) -m deploy.native install envoy protoc-gen-openapi >/dev/null
	@$(PYTHON) -m bench.edge $(A)

.PHONY: bench-revoked
bench-revoked: proto xds ## What 1,000 and 10,000 revoked tokens cost the edge, for each call and each change (A=--help)
	@$(PYTHON) -m deploy.native install envoy protoc-gen-openapi >/dev/null
	@$(PYTHON) -m bench.revoked $(A)
