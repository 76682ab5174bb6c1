"""What a load is doing: bars and a spinner at a terminal, and elsewhere a line for each step."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.progress import Progress

from referralctl.output import talk


class Steps:
    """Steps of one load, one after the other."""

    @contextmanager
    def step(self, what: str, *, total: int | None = None) -> Iterator[Callable[[int], object]]:
        """A step of `total` parts, or of none that can be counted; tell what it gives of the parts that are done."""
        if not talk.is_terminal:
            talk.print(what, markup=False)
        with Progress(console=talk, transient=True, disable=not talk.is_terminal) as progress:
            task = progress.add_task(what.replace("[", "\\["), total=total)
            yield lambda done: progress.advance(task, done)

    @contextmanager
    def bytes_of(self, file: Path) -> Iterator[Callable[[int], object]]:
        """The reading of a file."""
        with self.step(f"reading {file.name}", total=file.stat().st_size if file.is_file() else None) as advance:
            yield advance
