"""``max_iters`` as a number of samples."""

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class SampleBudget:
    """What ``max_iters`` full batches hold, over all ranks.

    Attributes:
        iterations (int): ``max_iters``, as it was planned.
        batch_samples (int): Samples of an iteration.
        since (tuple of int): Samples and iterations when iterations got their
            present size. Defaults to (0, 0).
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
        """Iterations that were left when they got their present size."""
        return max(0, self.iterations - self.since[1])

    def iterations_of(self, consumed: int) -> int:
        """Iterations of the unpruned run that so many samples are."""
        samples, iterations = self.since
        return iterations + (consumed - samples) // self.batch_samples

    def resumed(
        self,
        since: tuple[int, int] | None,
        batch_samples: int | None,
        consumed: int,
    ) -> 'SampleBudget':
        """Of a run that goes on, where iterations may have another size now.

        Args:
            since (tuple of int, optional): Of the run before; None where it
                wrote none.
            batch_samples (int, optional): Of the run before; None where it
                wrote none.
            consumed (int): Samples that lie behind.
        """
        samples, iterations = since or (0, 0)
        if batch_samples not in (None, self.batch_samples):
            iterations += (consumed - samples) // batch_samples
            samples = consumed
        return replace(self, since=(samples, iterations))
