"""docs/notifications.md says of every event that customers hear of which template tells it, and of no other."""

import re

from services.notification.events import accounts, stories
from tests.stack import CHECKOUT

ROW = re.compile(r"^\| `(\w+)` \| `([\w-]+)` \|", re.MULTILINE)


def test_the_guide_has_every_event_with_its_template() -> None:
    """Who adds one writes it there."""
    rows = dict(ROW.findall((CHECKOUT / "docs" / "notifications.md").read_text()))
    told = {name: kind.STORIES.template_of(name) for kind in (stories, accounts) for name in kind.TOLD}
    assert rows == {name.rpartition(".")[2]: template for name, template in told.items()}
