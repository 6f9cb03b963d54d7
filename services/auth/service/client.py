"""What is known of a client by the headers of its call."""

from typing import Any

from services.auth.domain.sessions import LONGEST_USER_AGENT, Client

FORWARDED = "x-forwarded-for"
USER_AGENT = "user-agent"


class ClientReader:
    """Reads who calls from the headers that the edge sends on."""

    def __init__(self, proxies: int = 0) -> None:
        """`proxies`: how many trusted ones stand before the edge; each adds whom it saw at the end of the list."""
        self._proxies = proxies

    def read(self, servicer_context: Any) -> Client:  # noqa: ANN401 - grpc.aio's own
        """Take the address that the outermost trusted proxy saw; what stands before it anybody can write."""
        sent = {key: value for key, value in servicer_context.invocation_metadata() or () if isinstance(value, str)}
        seen = [each.strip() for each in sent.get(FORWARDED, "").split(",") if each.strip()]
        place = min(self._proxies + 1, len(seen))
        return Client(seen[-place] if seen else "", sent.get(USER_AGENT, "")[:LONGEST_USER_AGENT])
