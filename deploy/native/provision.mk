.PHONY: demo
demo: venv ## Place an order as a customer would; show its events and its e-mail
	@$(NATIVE) demo
