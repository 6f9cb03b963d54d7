"""Why a measurement cannot be made; the command line prints the message and no traceback."""


class BenchError(Exception):
    """Something is not as a measurement needs it; the message says what, and what to do."""
