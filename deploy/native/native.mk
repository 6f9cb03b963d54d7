##@ The stack on this machine (ORDERMESH_PORT_OFFSET=10000 runs a second one beside the first)

NATIVE := $(PYTHON) -m deploy.native

.PHONY: up
up: proto xds ## Install, start and provision everything, then place an order (A=--no-demo: no order)
	@$(NATIVE) up $(A)

.PHONY: down
down: venv ## Stop everything; the data stays in .run
	@$(NATIVE) down

.PHONY: status
status: venv ## How every program is, and what memory it takes
	@$(NATIVE) status

.PHONY: mesh
mesh: venv xds ## What every process of the mesh believes: make mesh [s=order] [json=1]
	@$(NATIVE) mesh $(if $(s),--service $(s)) $(if $(json),--json)

.PHONY: logs
logs: venv ## The log of one program as it comes: make logs s=order
	@$(NATIVE) logs $(s) -f

.PHONY: doctor
doctor: venv ## Look for what keeps the stack from working, and say what to do
	@$(NATIVE) doctor

.PHONY: audit
audit: proto xds ## Whether orders, stock, money and events agree, in all databases and Kafka; reads only, also while it runs
	@$(NATIVE) audit

.PHONY: republish
republish: venv ## Publish again what Kafka does not have, after a lost slot: make republish [s=order]
	@$(NATIVE) republish $(s)

.PHONY: events
events: venv ## Events as they come, decoded: make events t=order-events [n=10] [json=1]
	@$(NATIVE) events $(t) $(if $(n),--last $(n)) $(if $(json),--json)

.PHONY: sql
sql: venv ## One statement in a service's database: make sql s=order q='SELECT …' [write=1]
	@$(NATIVE) sql "$(s)" "$${q:-}" $(if $(write),--write)

.PHONY: export-user
export-user: venv ## All that is known of a person, as JSON: make export-user u=ann@example.com
	@$(NATIVE) personal-data export "$(u)"

.PHONY: erase-user
erase-user: venv ## Erase a person, but for the books: make erase-user u=ann@example.com [force=1]
	@$(NATIVE) personal-data erase "$(u)" $(if $(force),--force)
