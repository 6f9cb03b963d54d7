"""What the doctor has to say about one thing."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at; `advice` says what to do about it and is empty when it is well."""

    what: str
    advice: str = ""

    def __str__(self) -> str:
        if not self.advice:
            return f"ok       {self.what}"
        return f"PROBLEM  {self.what}\n         {self.advice}"
