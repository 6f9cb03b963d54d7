"""Threads for calls that may be stuck for as long as somebody else is away; the process ends without them."""

import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future
from functools import partial
from typing import Any, TypeVar

T = TypeVar("T")


class DaemonThreads(Executor):
    """A thread for each call. The standard library's executors keep a process from ending until every call has."""

    def submit(self, call: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:  # noqa: ANN401 - as its base
        """Make the call in a thread of its own."""
        future: Future[T] = Future()
        threading.Thread(target=_make, args=(future, partial(call, *args, **kwargs)), daemon=True).start()
        return future


def _make(future: Future[T], call: Callable[[], T]) -> None:
    if not future.set_running_or_notify_cancel():
        return
    try:
        result = call()
    except BaseException as fault:  # noqa: BLE001 - whoever waits for the future has it raised
        future.set_exception(fault)
    else:
        future.set_result(result)
