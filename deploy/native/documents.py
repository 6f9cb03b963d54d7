"""Documents in Consul's KV, as the commands of operators look at them and change them."""

import argparse
import contextlib
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from consul import Consul
from consul.exceptions import ConsulException
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.protobuf.struct_pb2 import Value

from deploy.native.errors import StackError
from mesh import documents, errors

Judge = Callable[[str, bytes], object]
"""Raises InvalidArgument for a document that would be rejected, given its name and content."""


class Folder:
    """The documents below one prefix. Raises StackError when Consul can't be asked, or refuses."""

    def __init__(self, client: Consul, prefix: str, judge: Judge) -> None:
        """Whatever `judge` raises InvalidArgument for is not written."""
        self.prefix = prefix
        self._judge = judge
        self._client = client

    def read(self) -> dict[str, bytes]:
        """Read all of them, by name."""
        return {name: content for name, (_, content) in self._entries().items()}

    def check(self, name: str, content: bytes) -> None:
        """Raise StackError for a document that would be rejected."""
        try:
            self._judge(name, content)
        except errors.InvalidArgument as refusal:
            raise StackError(f"{self.prefix}{name} would be rejected: {documents.complaint(refusal)}") from refusal

    def change(self, name: str, change: Callable[[bytes], bytes]) -> None:
        """Replace a document by what `change` makes of it, if nobody else does meanwhile; b"" stands for none."""
        index, before = self._entries().get(name, (0, b""))
        after = change(before)
        self.check(name, after)
        with _asking():
            written = self._client.kv.put(self.prefix + name, after.decode(), cas=index)
        if not written:
            raise StackError(f"somebody else changed {self.prefix}{name} in this moment; look at it and try again")

    def reset(self, name: str) -> None:
        """Take a document away, good or bad."""
        with _asking():
            self._client.kv.delete(self.prefix + name)

    def _entries(self) -> dict[str, tuple[int, bytes]]:
        with _asking():
            _, found = self._client.kv.get(self.prefix, recurse=True)
        named = ((each["Key"].removeprefix(self.prefix), each) for each in found or ())
        return {name: (each["ModifyIndex"], each["Value"] or b"") for name, each in named if name}


@contextlib.contextmanager
def _asking() -> Iterator[None]:
    """Turn whatever Consul's client raises into a StackError."""
    try:
        yield
    except (ConsulException, OSError) as error:
        raise StackError(f"Consul can't be asked: {error}; is it running? make status") from error


def add_verbs(parser: argparse.ArgumentParser) -> None:
    """Let a command check, set and reset the document of a service."""
    parser.add_argument("service", nargs="?", help="all of them when left out")
    verbs = parser.add_mutually_exclusive_group()
    verbs.add_argument("--check", metavar="FILE", help="say whether a document (- is standard input) would be accepted")
    verbs.add_argument("--set", metavar="FILE", help="put a document in force, if it would be accepted")
    verbs.add_argument("--reset", action="store_true", help="take the document away")


def follow_verb(folder: Folder, options: argparse.Namespace) -> bool:
    """Do what the options ask for; whether they asked for anything."""
    if not (options.check or options.set or options.reset):
        return False
    name = options.service
    if not name:
        raise StackError("which service? s=order")
    if options.check:
        folder.check(name, _content(options.check))
        print(f"{folder.prefix}{name} would be accepted")
    elif options.set:
        content = _content(options.set)
        folder.change(name, lambda _: content)
        print(f"{folder.prefix}{name} is set")
    else:
        folder.reset(name)
        print(f"{folder.prefix}{name} is gone")
    return True


def _content(file: str) -> bytes:
    try:
        return sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    except OSError as error:
        raise StackError(f"{file} can't be read: {error.strerror}") from error


def leaves(message: Message, path: str = "") -> Iterator[tuple[str, str]]:
    """List what a message sets, each value by its path, such as `retry.max_retries`."""
    for descriptor, value in message.ListFields():
        here = f"{path}.{descriptor.name}" if path else descriptor.name
        if descriptor.message_type and descriptor.message_type.GetOptions().map_entry:
            for key in sorted(value):
                yield from _leaf(f"{here}[{key}]", descriptor, value[key])
        elif descriptor.is_repeated:
            for number, each in enumerate(value):
                yield from _leaf(f"{here}[{number}]", descriptor, each)
        else:
            yield from _leaf(here, descriptor, value)


def _leaf(path: str, descriptor: FieldDescriptor, value: object) -> Iterator[tuple[str, str]]:
    if isinstance(value, Duration):
        yield path, value.ToJsonString()
    elif isinstance(value, Value):
        yield path, json.dumps(getattr(value, value.WhichOneof("kind") or "null_value"))
    elif isinstance(value, Message):
        yield from leaves(value, path)
    elif descriptor.enum_type and isinstance(value, int):
        yield path, descriptor.enum_type.values_by_number[value].name
    else:
        yield path, str(value).lower() if isinstance(value, bool) else str(value)
