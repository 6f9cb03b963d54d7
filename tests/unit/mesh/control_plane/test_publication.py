"""What becomes of an observation: a snapshot, figures and log lines."""

import structlog
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from mesh.control_plane.metrics import Metrics
from mesh.control_plane.policy import Documents
from mesh.control_plane.publication import Publication, Publisher
from mesh.control_plane.world import Observation
from tests.unit.mesh.control_plane.examples import METHODS, documents, instance


class Replica:
    """A publisher with what it publishes."""

    def __init__(self) -> None:
        """Begin knowing nothing."""
        self.registry = CollectorRegistry()
        self.publication = Publication()
        log = structlog.get_logger()
        self._publisher = Publisher(METHODS, self.publication, Metrics(self.registry), log, identities=None)

    def hear(self, found: Documents) -> None:
        """Take in an observation with these policies."""
        self._publisher.tell(Observation(1, {"order": (instance(1),), "product": ()}, found))

    def rejected(self, document: str) -> float | None:
        """Read the metric of a document."""
        return self.registry.get_sample_value("ordermesh_control_plane_policy_rejected", {"document": document})


def test_a_rejected_document_is_a_metric_and_one_line_of_the_log() -> None:
    """Until it is mended; what was served before goes on."""
    replica = Replica()
    with capture_logs() as lines:
        replica.hear(documents(1, order={"maxConcurrentRequests": 7}))
        before = replica.publication.current
        for index in (2, 3):
            replica.hear(documents(index, order={"maxConcurrentRequests": 0}))
        assert replica.rejected("order") == 1
        assert replica.publication.current is before
        replica.hear(documents(4, order={"maxConcurrentRequests": 8}))

    assert replica.rejected("order") is None
    assert replica.publication.current != before
    [line] = [each for each in lines if each["event"] == "policy_rejected"]
    assert line["log_level"] == "error"
    assert line["document"] == "order"
    assert line["last_good_kept"]
    assert line["reason"].startswith("max_concurrent_requests: must be")


def test_a_bad_document_at_the_start_leaves_the_defaults() -> None:
    """And says so."""
    replica, plain = Replica(), Replica()
    with capture_logs() as lines:
        replica.hear(documents(1, order="{"))
        plain.hear(documents(1))

    assert replica.publication.current == plain.publication.current
    assert [each["last_good_kept"] for each in lines if each["event"] == "policy_rejected"] == [False]
