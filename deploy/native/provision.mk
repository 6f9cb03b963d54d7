.PHONY: demo
demo: venv ## Place an order as a customer would; show its events and its e-mail
	@$(NATIVE) demo

.PHONY: join
join: venv ## Let a service of another team into the mesh: make join s=loyalty calls=order,product
	@$(NATIVE) join $(or $(s),$(error whom? make join s=loyalty calls=order,product)) --calls "$(calls)"

.PHONY: leave
leave: venv ## Let it out again: make leave s=loyalty
	@$(NATIVE) join $(or $(s),$(error whom? make leave s=loyalty)) --leave

VERB = $(if $(set),--set $(set))$(if $(check),--check $(check))$(if $(filter reset,$(do)),--reset)

.PHONY: policy
policy: proto ## Traffic policy in force: make policy [s=order] [set=file.json|check=file.json|do=reset]
	@$(NATIVE) policy $(s) $(VERB)

.PHONY: settings
settings: proto ## What running services are told: make settings [s=order] [set=…|check=…|do=reset]
	@$(NATIVE) settings $(s) $(VERB)

.PHONY: log-level
log-level: proto ## Change a running service's log level: make log-level s=order l=debug (back: no l)
	@$(NATIVE) settings $(s) --log-level "$(l)"

.PHONY: flag
flag: proto ## Set a feature flag of a running service: make flag s=order f=name v=true (back: no v)
	@$(NATIVE) settings $(s) --flag "$(f)=$(v)"
