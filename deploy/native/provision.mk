##@ Look inside

.PHONY: demo
demo: proto xds ## Place an order as a customer would; show its events and its e-mail
	@$(PYTHON) -m deploy.native demo

.PHONY: events
events: proto xds ## Print events, decoded, as they come (t=order-events n=10 json=1 follow=0)
	@$(PYTHON) -m deploy.native events $(t) $(if $(n),--last $(n)) $(if $(json),--json) $(if $(filter 0,$(follow)),--no-follow)
