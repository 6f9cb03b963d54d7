"""Files that Envoy reads: for their owner alone, and replaced whole, so that nobody ever reads half of one."""

from pathlib import Path

PRIVATE_FOLDER = 0o700
PRIVATE_FILE = 0o600


def replace(file: Path, text: str) -> bool:
    """Put a file in place, or leave it when it says the same; tell whether it changed."""
    if file.exists() and file.read_bytes() == text.encode():
        return False
    fresh = file.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    fresh.touch(mode=PRIVATE_FILE)
    fresh.write_bytes(text.encode())
    fresh.replace(file)
    return True
