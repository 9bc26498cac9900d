"""``max_iters`` as a number of samples."""

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class SampleBudget:
    """The samples in ``max_iters`` full batches, over all ranks.

    Attributes:
        iterations (int): ``max_iters`` as planned.
        batch_samples (int): Samples per iteration.
        since (tuple of int): Samples and iterations done when iterations got
            their current size. Defaults to (0, 0).
    """

    iterations: int
    batch_samples: int
    since: tuple[int, int] = (0, 0)

    @property
    def samples(self) -> int:
        """Samples of the whole training."""
        samples, _ = self.since
        return samples + self.iterations_ahead * self.batch_samples

    @property
    def iterations_ahead(self) -> int:
        """Iterations left when they got their current size."""
        return max(0, self.iterations - self.since[1])

    def iterations_of(self, consumed: int) -> int:
        """Iterations of the unpruned run that this many samples make."""
        samples, iterations = self.since
        return iterations + (consumed - samples) // self.batch_samples

    def resumed(
        self,
        since: tuple[int, int] | None,
        batch_samples: int | None,
        consumed: int,
    ) -> 'SampleBudget':
        """The budget of a resumed run, whose iteration size may have changed.

        Args:
            since (tuple of int, optional): ``since`` of the earlier run; None
                if it wrote none.
            batch_samples (int, optional): ``batch_samples`` of the earlier
                run; None if it wrote none.
            consumed (int): Samples consumed so far.
        """
        samples, iterations = since or (0, 0)
        if batch_samples not in (None, self.batch_samples):
            iterations += (consumed - samples) // batch_samples
            samples = consumed
        return replace(self, since=(samples, iterations))
