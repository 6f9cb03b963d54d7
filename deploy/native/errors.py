"""What a person can mend: the command line prints the message and no traceback."""


class StackError(Exception):
    """Something around the stack is not as it has to be; the message says what, and what to do."""


class ConfigurationError(StackError):
    """A setting makes no sense."""


class MissingPrerequisites(StackError):
    """Programs that have to be installed on the machine first."""


class InstallError(StackError):
    """A component could not be downloaded or built."""
