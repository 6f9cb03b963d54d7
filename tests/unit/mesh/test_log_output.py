"""Log lines are written together where that does no harm, and never lost or mixed up."""

import asyncio
import io

from mesh.log_output import LogOutput


class Stream(io.BytesIO):
    """Standard output that counts how often it is written to, and tells of each time."""

    def __init__(self) -> None:
        """Begin empty."""
        super().__init__()
        self.writes = 0
        self.written = asyncio.Event()

    def write(self, data: bytes) -> int:  # type: ignore[override]
        """Count."""
        self.writes += 1
        self.written.set()
        return super().write(data)


async def test_ordinary_lines_are_written_together_a_moment_later() -> None:
    """In their order."""
    stream = Stream()
    output = LogOutput(stream)
    for line in (b"one", b"two", b"three"):
        output.info(line)
    assert stream.writes == 0
    await stream.written.wait()
    assert (stream.writes, stream.getvalue()) == (1, b"one\ntwo\nthree\n")


async def test_lines_after_a_pause_are_written_too() -> None:
    """The moment begins anew."""
    stream = Stream()
    output = LogOutput(stream)
    for count in (1, 2):
        output.info(b"line")
        await stream.written.wait()
        stream.written.clear()
        assert stream.writes == count


async def test_a_warning_is_written_at_once_behind_what_waited() -> None:
    """Who looks for the reason of a failure finds what came before it."""
    stream = Stream()
    output = LogOutput(stream)
    output.info(b"one")
    output.warning(b"two")
    assert stream.getvalue() == b"one\ntwo\n"


def test_a_line_is_written_at_once_where_no_loop_runs_that_could_do_it_later() -> None:
    """Commands end soon; and so does a loop that had not come to it."""
    stream = Stream()
    output = LogOutput(stream)

    async def work() -> None:
        output.info(b"from a loop")

    asyncio.run(work())
    output.info(b"from none")
    assert stream.getvalue() == b"from a loop\nfrom none\n"
