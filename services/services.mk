# What a developer asks of running services.

##@ Services

.PHONY: dlq
dlq: proto ## Events a service could not handle (t=order-events do=list|show|replay|discard id=… s=notification)
	@ORDERMESH_ENV_FILE=.run/env/$(or $(s),notification).env $(PYTHON) -m services.common.dead_letters \
	  --service $(or $(s),notification) $(or $(do),list) $(t) $(id)
