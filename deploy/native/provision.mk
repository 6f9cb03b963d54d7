.PHONY: demo
demo: venv ## Place an order as a customer would; show its events and its e-mail
	@$(NATIVE) demo

.PHONY: join
join: venv ## Let a service of another team into the mesh: make join s=loyalty calls=order,product
	@$(NATIVE) join $(s) --calls "$(calls)"

.PHONY: leave
leave: venv ## Let it out again: make leave s=loyalty
	@$(NATIVE) join $(s) --leave
