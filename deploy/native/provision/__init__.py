"""Bringing each component of a native stack to the state that services expect, as often as one likes."""

from deploy.native.provision.catalogue import seed
from deploy.native.provision.connect import connectors
from deploy.native.provision.consul import consul
from deploy.native.provision.credentials import credentials
from deploy.native.provision.environment import services
from deploy.native.provision.envoy import edge
from deploy.native.provision.intentions import intentions
from deploy.native.provision.kafka import topics
from deploy.native.provision.kafka_access import access
from deploy.native.provision.migrations import migrations
from deploy.native.provision.postgres import databases, slots
from deploy.native.provision.waiting import ProvisionError

__all__ = [
    "ProvisionError",
    "access",
    "connectors",
    "consul",
    "credentials",
    "databases",
    "edge",
    "intentions",
    "migrations",
    "seed",
    "services",
    "slots",
    "topics",
]
