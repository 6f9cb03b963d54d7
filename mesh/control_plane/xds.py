"""Words that all xDS resources are written in."""

from envoy.config.core.v3 import config_source_pb2
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.message import Message
from google.protobuf.wrappers_pb2 import UInt32Value


def this_stream() -> config_source_pb2.ConfigSource:
    """Say that a resource is found on the stream that told of it."""
    return config_source_pb2.ConfigSource(
        ads=config_source_pb2.AggregatedConfigSource(), resource_api_version=config_source_pb2.V3
    )


def number(value: int) -> UInt32Value:
    """Wrap a number."""
    return UInt32Value(value=value)


def packed(message: Message) -> AnyMessage:
    """Wrap a message so that equal ones have equal bytes."""
    wrapped = AnyMessage()
    wrapped.Pack(message, deterministic=True)
    return wrapped


def cluster_of(service: str, version: str) -> str:
    """Name the cluster of a service whose calls go to one version first; "" is for all without a share of their own."""
    return f"{service}/{version}" if version else service
