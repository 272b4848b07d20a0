"""What all tests share: they run alike on a slow machine and in the background of a shell."""

from __future__ import annotations

import signal
import threading

from hypothesis import HealthCheck, settings

settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")
settings.register_profile("soak", max_examples=1000)

if threading.current_thread() is threading.main_thread():
    # A shell starts background processes with SIGINT ignored, and the processes that tests start would inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
