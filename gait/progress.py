"""Progress of long jobs: lines with the time left, within seconds and then ever more rarely."""

from __future__ import annotations

import time

_FIRST_S = 3.0
# Lines come the more rarely the longer a job takes.
_LEAST_S, _MOST_S = 10.0, 60.0


class Pace:
    """When the next line is due: within seconds, then ever more rarely, up to once a minute."""

    def __init__(self) -> None:
        self.began = time.monotonic()
        self._next = self.began + _FIRST_S

    def is_due(self) -> bool:
        """Whether it is time for a line."""
        return time.monotonic() >= self._next

    def said(self) -> None:
        """Take in that a line was printed just now."""
        now = time.monotonic()
        self._next = now + min(max((now - self.began) / 4, _LEAST_S), _MOST_S)


class Progress:
    """Counts what is done of a job, and prints a line within seconds, later once a minute.

    A job that ends within seconds prints nothing.

    Args:
        title: what is being done, as `segmenting 1-of-8`.
        total: how many there are to do.
        unit: of what, as `sequences`.
    """

    def __init__(self, title: str, total: int, unit: str) -> None:
        self._title = title
        self._total = total
        self._unit = unit
        self._done = 0
        self._pace = Pace()

    def advance(self, count: int = 1, detail: str = "") -> None:
        """Take in that `count` more are done.

        Args:
            count: 0 where one of them takes long, and only `detail` has moved on.
            detail: how far the one is that is being worked on.
        """
        self._done += count
        if not self._pace.is_due():
            return
        passed = time.monotonic() - self._pace.began
        line = f"{self._title}: {self._done:,} of {self._total:,} {self._unit}"
        if 0 < self._done < self._total:
            line += f", {duration(passed / self._done * (self._total - self._done))} left"
        print(f"{line}; {detail}" if detail else line, flush=True)
        self._pace.said()


def duration(seconds: float) -> str:
    """A time span as h:mm:ss."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}"
