##@ Measure

.PHONY: bench
bench: proto ## Measure the running stack against a bare gRPC echo (A=--quick for a short run), into bench/reports/
	@$(PYTHON) -m bench $(A)
