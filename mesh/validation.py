"""Whether a request is what its contract asks for: the rules of buf.validate, judged by protovalidate."""

from typing import Any

import protovalidate
from google.protobuf.message import Message

from mesh import errors


def validate(request: Message) -> None:
    """Raise InvalidArgument that names every field that breaks a rule of its contract."""
    found = protovalidate.collect_violations(request)
    if not found:
        return
    violations = [_violation(each.proto) for each in found]
    first = violations[0]
    raise errors.InvalidArgument(
        f"{first.field or 'the request'}: {first.description}",
        reason="INVALID_REQUEST",
        violations=violations,
    )


def _violation(violation: Any) -> errors.FieldViolation:  # noqa: ANN401 - protovalidate\'s own copy of the message
    """The reason is the broken rule, such as STRING_UUID for `string.uuid`."""
    reason = violation.rule_id.replace(".", "_").upper()
    return errors.FieldViolation(_path(violation.field), violation.message, reason)


def _path(path: Any) -> str:  # noqa: ANN401 - protovalidate\'s own copy of the message
    return "".join(_step(element, first=position == 0) for position, element in enumerate(path.elements))


def _step(element: Any, *, first: bool) -> str:  # noqa: ANN401 - as above
    subscript = element.WhichOneof("subscript")
    name = element.field_name if first else f".{element.field_name}"
    return f"{name}[{getattr(element, subscript)}]" if subscript else name
