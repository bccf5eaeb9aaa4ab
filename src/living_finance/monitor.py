"""Peak memory of a run: this process and everything it started."""

from __future__ import annotations

import contextlib
import threading
from types import TracebackType

import psutil

_INTERVAL_SECONDS = 1.0
_LARGE_BYTES = 2**29
"""From here on a process counts with its resident memory: walking the page tables of a large Java stops it meanwhile."""


class MemoryMonitor:
    """Samples the resident memory of the process tree (on a cluster: the driver's side only)."""

    def __init__(self) -> None:
        self.peak_bytes = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> MemoryMonitor:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._stop.set()
        self._thread.join()

    def restart(self) -> int:
        """The peak since the last restart, which begins a new one."""
        peak, self.peak_bytes = self.peak_bytes, 0
        return peak

    def _watch(self) -> None:
        this = psutil.Process()
        while not self._stop.wait(_INTERVAL_SECONDS):
            total = 0
            for process in [this, *this.children(recursive=True)]:
                # Forked Python workers share pages with their parent; unique memory (USS) does not count them twice.
                with contextlib.suppress(psutil.Error):
                    resident = process.memory_info().rss
                    total += resident if resident >= _LARGE_BYTES else process.memory_full_info().uss
            self.peak_bytes = max(self.peak_bytes, total)
