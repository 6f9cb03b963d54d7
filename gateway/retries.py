"""When the edge tries again.

A call that never left it, always; one that an instance gave up, where the contract says that twice is as good as once.
"""

from gateway.envoy import Json, typed
from gateway.settings import Retries
from mesh.contract import Idempotency

# No instance has seen these, as with gRPC's own transparent retries.
UNSEEN = ("connect-failure", "refused-stream")
# Whether an instance has acted on these is not known.
UNKNOWN = ("reset-before-request", "reset", "unavailable")

PREVIOUS_HOSTS = "envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate"
PREVIOUS_PRIORITIES = "envoy.extensions.retry.priority.previous_priorities.v3.PreviousPrioritiesConfig"
# So many tries stay in the edge's own zone. A zone that is gone is known to be only some seconds later.
TRIES_IN_A_ZONE = 2


def retry_policy(idempotency: Idempotency, settings: Retries) -> Json:
    """Build a route's policy. Another instance is tried first, as far as there is one, then one of another zone."""
    reasons = UNSEEN if idempotency is Idempotency.ONCE else (*UNSEEN, *UNKNOWN)
    return {
        "retry_on": ",".join(reasons),
        "num_retries": settings.attempts,
        "retry_back_off": {
            "base_interval": f"{settings.base_milliseconds / 1000:.9g}s",
            "max_interval": f"{settings.max_milliseconds / 1000:.9g}s",
        },
        "retry_host_predicate": [
            {"name": "envoy.retry_host_predicates.previous_hosts", "typed_config": typed(PREVIOUS_HOSTS)}
        ],
        # Each is cheap, and the least busy of few instances is often the one that just failed.
        "host_selection_retry_max_attempts": 10,
        "retry_priority": {
            "name": "envoy.retry_priorities.previous_priorities",
            "typed_config": typed(PREVIOUS_PRIORITIES, update_frequency=TRIES_IN_A_ZONE),
        },
    }
