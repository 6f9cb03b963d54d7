"""What is revoked: access tokens that would hold by what they say of themselves, and do not."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Revocations:
    """Ids of single tokens, of sessions and of subjects, none of whose tokens hold; how many more there are."""

    tokens: tuple[str, ...]
    sessions: tuple[str, ...]
    subjects: tuple[str, ...]
    left_out: int
