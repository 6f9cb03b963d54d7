"""What happens once in the life of an install, with the real components."""

import os
from pathlib import Path

import pytest

from deploy.native import programs as catalogue
from deploy.native import secrets
from deploy.native.components import Components
from deploy.native.programs import kafka
from deploy.native.runtime import Runtime
from tests.integration.conftest import CHECKOUT

IDS = ("MkU3OEVBNTcwNTJENDM2Qg", "-kU3OEVBNTcwNTJENDM2Qg", "--U3OEVBNTcwNTJENDM2Qg", "_kU3OEVBNTcwNTJENDM2Qg")


@pytest.mark.parametrize("cluster_id", IDS)
def test_kafka_takes_every_id_that_chance_may_give(programs: Components, tmp_path: Path, cluster_id: str) -> None:
    """One that begins with a dash is no option of its tool."""
    runtime = Runtime.load(CHECKOUT, {**os.environ, "ORDERMESH_RUN": str(tmp_path)})
    catalogue.configure(runtime, programs, secrets.ensure(runtime.root, runtime.topology.services))
    (runtime.config(kafka.BROKER) / "cluster-id").write_text(cluster_id)
    assert kafka.prepare(runtime, programs) == ["storage of Kafka formatted"]
    told = (runtime.data(kafka.BROKER) / kafka.COMPLETE).read_text()
    assert f"cluster.id={cluster_id}" in told.splitlines()
    assert kafka.prepare(runtime, programs) == []
