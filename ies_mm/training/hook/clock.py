"""Times the parts of an epoch."""

import time


class Clock:
    """A stopwatch with laps and pauses."""

    def __init__(self) -> None:
        self._started = self._paused = time.perf_counter()

    def lap(self) -> float:
        """Start a lap; return the seconds of the last one, without pauses."""
        before, self._started = self._started, time.perf_counter()
        return self._started - before

    def since_lap(self) -> float:
        """Seconds of the current lap, without pauses."""
        return time.perf_counter() - self._started

    def pause(self) -> None:
        """Stop counting."""
        self._paused = time.perf_counter()

    def resume(self) -> float:
        """Resume counting; return the seconds of the pause."""
        pause = time.perf_counter() - self._paused
        self._started += pause
        return pause

    def credit(self, seconds: float) -> None:
        """Add seconds of earlier pauses to this lap."""
        self._started -= seconds
