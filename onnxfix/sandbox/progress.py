"""How a function in the child tells the caller how far it is."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

_lock = threading.Lock()
_listener: Callable[[Any], object] | None = None


def listen(listener: Callable[[Any], object] | None) -> None:
    """Send what is told from now on to `listener`; the child does this once, when it starts."""
    global _listener
    _listener = listener


def tell(value: Any) -> None:
    """Tell the caller of the function that runs now. From any thread; outside a child nothing happens."""
    with _lock:
        if _listener is not None:
            _listener(value)
