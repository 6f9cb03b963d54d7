"""Whether a request is what its contract asks for: the rules of buf.validate, judged by protovalidate."""

import protovalidate
from google.protobuf.message import Message
from protovalidate import FieldPathElementPb, FieldPathPb, ViolationPb

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


def _violation(violation: ViolationPb) -> errors.FieldViolation:
    """The reason is the broken rule, such as STRING_UUID for `string.uuid`."""
    reason = violation.rule_id.replace(".", "_").upper()
    return errors.FieldViolation(_path(violation.field), violation.message, reason)


def _path(path: FieldPathPb | None) -> str:
    elements = path.elements if path else ()
    return "".join(_step(element, first=position == 0) for position, element in enumerate(elements))


def _step(element: FieldPathElementPb, *, first: bool) -> str:
    name = element.field_name if first else f".{element.field_name}"
    return f"{name}[{element.subscript.value}]" if element.subscript else name
