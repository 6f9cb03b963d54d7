"""A process as bench.aside runs them: ready at once, and with a number to tell at the end."""

import sys

if __name__ == "__main__":
    print("ready", flush=True)  # noqa: T201 - its answer
    sys.stdin.read()
    print(f"found {int(sys.argv[1])}")  # noqa: T201 - as above
