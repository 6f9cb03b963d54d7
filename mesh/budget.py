"""How many calls may be made again, or twice: a share of all, so that help against one failure never adds to many."""

SHARE = 0.2
RESERVE = 10.0


class Budget:
    """Never lets more pass than `reserve` and the share of all calls counted."""

    def __init__(self, share: float = SHARE, reserve: float = RESERVE) -> None:
        """`reserve` is what there is at first, and the most that is saved up in good times."""
        self._share = share
        self._reserve = self._left = reserve

    def count(self) -> None:
        """Count a call that was asked for, not one that is made again."""
        self._left = min(self._left + self._share, self._reserve)

    def take(self) -> bool:
        """Ask for one more; False when it would be too many."""
        if self._left < 1:
            return False
        self._left -= 1
        return True
