"""docs/notifications.md says of every event that customers hear of which template tells it, and of no other."""

import re

from services.notification.events.stories import TOLD
from services.notification.events.stories import template_of as told_by
from tests.stack import CHECKOUT

ROW = re.compile(r"^\| `(\w+)` \| `([\w-]+)` \|", re.MULTILINE)


def test_the_guide_has_every_event_with_its_template() -> None:
    """Who adds one writes it there."""
    rows = dict(ROW.findall((CHECKOUT / "docs" / "notifications.md").read_text()))
    assert rows == {name.rpartition(".")[2]: told_by(name) for name in TOLD}
