"""Writes docs/settings.md: what an install may set for each process, from the classes; `--check` only compares."""

import sys
from collections.abc import Iterator, Mapping
from enum import Enum
from pathlib import Path
from typing import Any

from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from mesh.control_plane.settings import ControlPlaneSettings
from mesh.settings import PREFIX, MeshSettings
from services.auth.settings import AuthSettings
from services.common.settings import ServiceSettings
from services.inventory.settings import InventorySettings
from services.notification.settings import NotificationSettings
from services.order.settings import OrderSettings
from services.payment.settings import PaymentSettings
from services.product.settings import ProductSettings

PAGE = Path(__file__).resolve().parent.parent / "docs" / "settings.md"
# Each with the class that it adds to.
SECTIONS: Mapping[str, tuple[type[MeshSettings], type[MeshSettings] | None]] = {
    "Every process": (MeshSettings, None),
    "Every service": (ServiceSettings, MeshSettings),
    "auth": (AuthSettings, ServiceSettings),
    "product": (ProductSettings, ServiceSettings),
    "inventory": (InventorySettings, ServiceSettings),
    "payment": (PaymentSettings, ServiceSettings),
    "order": (OrderSettings, ServiceSettings),
    "notification": (NotificationSettings, ServiceSettings),
    "control-plane": (ControlPlaneSettings, MeshSettings),
}
INTRODUCTION = """\
# Settings

Made by `make docs` from the classes that read them; `make lint` fails when it is not what they say.

`make up` writes what each process has to know of its install (addresses, names, secrets) to `.run/env/<process>.env`,
anew each time. What you want otherwise goes into a file of yours, which wins:

    mkdir -p .run/settings
    cat > .run/settings/order.env <<'END'
    ORDERMESH_TAX_TABLE='{"DE": {"rate": "0.19", "included": true}}'
    END
    chmod 600 .run/settings/*.env
    make up

The file is called like the service, or `control-plane`. `make up` starts anew what a change concerns; it refuses a line
that sets nothing and a file for no process. A name that a service does not have is refused by the service: it does not
start, and says why in `make logs s=order`.

| elsewhere | |
|---|---|
| `deploy/ports.toml` | ports |
| `deploy/topology.toml` | databases, topics, instances, who calls whom |
| `gateway/edge.toml` | the edge: limits, rates, origins ([edge.md](edge.md)) |
| Consul's KV | what changes without a restart: traffic policy, log level, flags ([more](traffic-policy.md)) |
| `ORDERMESH_PORT_OFFSET` | of the commands: added to every port, for a second stack; its data is in `.run/test` |
| `ORDERMESH_RUN`, `ORDERMESH_CACHE` | of the commands: another folder than `.run`, another cache of components |
"""


def fields(settings: type[MeshSettings], base: type[MeshSettings] | None) -> dict[str, FieldInfo]:
    """What a class has beyond its base."""
    inherited = base.model_fields if base else {}
    return {name: field for name, field in settings.model_fields.items() if name not in inherited}


def default(field: FieldInfo) -> str:
    """Say what holds when nothing is set."""
    value = field.get_default(call_default_factory=True)
    if value is PydanticUndefined:
        return "none: must be set"
    return f"`{_shown(value)}`" if _shown(value) else ""


def _shown(value: Any) -> str:  # noqa: ANN401 - a default of any type
    if isinstance(value, Enum):
        return str(value.value)
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:g}" if value < 1e6 else f"{value:.0f}"  # noqa: PLR2004 - beyond it :g writes an exponent
    if hasattr(value, "get_secret_value") or value in (None, "", (), {}):
        return ""
    return str(value).replace("'", '"')


def meaning(field: FieldInfo) -> str:
    """Say what a setting is for, as a cell of a table: no full stop, no capital but in a name."""
    text = " ".join((field.description or "").split()).removesuffix(".")
    first = text.partition(" ")[0]
    return text[0].lower() + text[1:] if first.istitle() else text


def rows(settings: type[MeshSettings], base: type[MeshSettings] | None) -> Iterator[str]:
    """Write the table of a class."""
    yield "| name | default | |\n|---|---|---|"
    for name, field in fields(settings, base).items():
        yield f"| `{PREFIX}{name.upper()}` | {default(field)} | {meaning(field)} |"


def written() -> str:
    """Write the page."""
    lines = [INTRODUCTION]
    for title, (settings, base) in SECTIONS.items():
        if fields(settings, base):
            lines += [f"## {title}\n", *rows(settings, base), ""]
    return "\n".join(lines)


def main() -> None:
    """Write the page anew, or fail if it is not as it should be."""
    fresh = written()
    if "--check" not in sys.argv:
        PAGE.write_text(fresh)
    elif not PAGE.exists() or fresh != PAGE.read_text():
        raise SystemExit("docs/settings.md is not what the settings say; run `make docs`")


if __name__ == "__main__":
    main()
