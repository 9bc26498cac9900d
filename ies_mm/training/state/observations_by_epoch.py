"""The observations of unfinished epochs."""

from itertools import chain

from mmengine.dist import all_gather_object, is_main_process
from torch import Tensor

from ies_mm.training.state.noted import Noted
from ies_mm.training.state.observations import Observations


class ObservationsByEpoch:
    """The observations of unfinished epochs.

    In an iteration-based loop, a batch may belong to two of them.

    Args:
        names (list of str): See :class:`Observations`.
    """

    def __init__(self, names: list[str]) -> None:
        self._names = names
        self._epochs: dict[int, Observations] = {}
        self._gathered: dict[int, Noted] | None = None

    def add(
        self,
        epochs: list[tuple[int, int]],
        ids: Tensor,
        losses: dict[str, Tensor],
        missing: dict[str, Tensor],
    ) -> None:
        """Record a batch; see :meth:`Observations.add`.

        Args:
            epochs (list of tuple): (epoch, samples) in the batch's order.
            ids (Tensor): int64 (B,), instances.
            losses (dict): Term -> float32 (B,).
            missing (dict): Term -> bool (B,).
        """
        # What was gathered for a checkpoint does not hold this batch.
        self._gathered = None
        start = 0
        for epoch, samples in epochs:
            part = slice(start, start + samples)
            self._of(epoch).add(
                ids[part],
                {term: values[part] for term, values in losses.items()},
                {term: mask[part] for term, mask in missing.items()},
            )
            start += samples

    @property
    def terms(self) -> list[str]:
        """The run's terms and those of this rank's batches so far."""
        found = [epoch.terms for epoch in self._epochs.values()]
        return list(dict.fromkeys(chain(self._names, *found)))

    def note_unobserved(
        self, epochs: list[tuple[int, int]], ids: Tensor
    ) -> None:
        """Record a batch whose losses are not known.

        Args:
            epochs (list of tuple): See :meth:`add`.
            ids (Tensor): int64 (B,), instances.
        """
        self._gathered = None
        sizes = [samples for _, samples in epochs]
        parts = ids.split(sizes)
        for (epoch, _), part in zip(epochs, parts, strict=True):
            self._of(epoch).note_unobserved(part)

    def note_missed(self, epoch: int, numbers: set[int]) -> None:
        """Record images that others replaced.

        A checkpoint within the epoch does not keep them.

        Args:
            epoch (int): The batch's epoch.
            numbers (set of int): Instances.
        """
        self._of(epoch).missed |= numbers

    def take(self, epoch: int) -> Observations:
        """Remove and return the observations of a finished epoch."""
        self._gathered = None
        return self._epochs.pop(epoch, Observations(self._names))

    def samples(self, epoch: int) -> int:
        """Number of recorded samples of an epoch."""
        found = self._epochs.get(epoch)
        return found.noted().samples if found else 0

    def gather(self) -> None:
        """Gather all ranks' observations for the next checkpoint.

        Call it on all ranks; only one writes checkpoints.
        """
        parts = all_gather_object(self._noted())
        epochs = sorted({epoch for part in parts for epoch in part})
        self._gathered = {
            epoch: Noted.concatenated([p[epoch] for p in parts if epoch in p])
            for epoch in epochs
        }

    def state_dict(self) -> dict[int, tuple]:
        """The observations so far: epoch -> :meth:`Noted.plain`.

        From all ranks right after :meth:`gather`, else from this one.
        """
        noted = self._noted() if self._gathered is None else self._gathered
        return {epoch: found.plain() for epoch, found in noted.items()}

    def load_state_dict(self, state: dict[int, tuple]) -> None:
        """Restore what :meth:`state_dict` returned, under the run's names."""
        if is_main_process():  # Each observation counts once.
            for epoch, plain in state.items():
                self._of(epoch).add_noted(Noted.of(plain, self._names))

    def _noted(self) -> dict[int, Noted]:
        return {epoch: found.noted() for epoch, found in self._epochs.items()}

    def _of(self, epoch: int) -> Observations:
        return self._epochs.setdefault(epoch, Observations(self._names))
