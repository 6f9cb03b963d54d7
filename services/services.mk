# What a developer asks of running services.

##@ Services

# The folder of the stack that is meant, as deploy/native/runtime.py has it.
STACK = $(or $(ORDERMESH_RUN),$(if $(filter-out 0,$(ORDERMESH_PORT_OFFSET)),.run/test,.run))

.PHONY: dlq
dlq: proto ## Events a service could not handle (t=order-events do=list|show|replay|discard id=… s=notification)
	@ORDERMESH_ENV_FILE=$(STACK)/env/$(or $(s),notification).env $(PYTHON) -m services.common.dead_letters \
	  --service $(or $(s),notification) $(or $(do),list) $(t) $(id)

.PHONY: rebuild
rebuild: proto ## Rebuild every order from its events and compare; fails if one differs
	@ORDERMESH_ENV_FILE=$(STACK)/env/order.env $(PYTHON) -m services.order.rebuild

.PHONY: stuck
stuck: proto ## List orders that are on their way for too long
	@ORDERMESH_ENV_FILE=$(STACK)/env/order.env $(PYTHON) -m services.order.stuck

.PHONY: stock-audit
stock-audit: proto ## Whether the stock's books balance: ledger, levels, reservations and events
	@ORDERMESH_ENV_FILE=$(STACK)/env/inventory.env $(PYTHON) -m services.inventory.audit

.PHONY: reconcile
reconcile: proto ## A settlement file against the ledger (f=file.csv g=stripe from=2026-05-01 to=2026-06-01; do=list|resolve id=… note=…)
	@$(if $(do)$(and $(f),$(g),$(from),$(to)),,$(error say all of f=file.csv g=stripe from=2026-05-01 to=2026-06-01))
	@ORDERMESH_ENV_FILE=$(STACK)/env/payment.env $(PYTHON) -m services.payment.reconcile $(or $(do),compare) \
	  $(if $(f),--file "$(f)") $(if $(g),--gateway $(g)) $(if $(from),--from $(from)) $(if $(to),--to $(to)) \
	  $(if $(id),--id $(id)) $(if $(note),--note "$(note)")

.PHONY: rotate-keys
rotate-keys: proto ## Make the next key that signs access tokens; do=list shows all
	@ORDERMESH_ENV_FILE=$(STACK)/env/auth.env $(PYTHON) -W "ignore:EdDSA is deprecated" -m services.auth.rotate_keys $(or $(do),rotate)
