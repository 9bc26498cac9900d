"""The last observed losses of every instance, in flat tensors."""

import torch
from torch import Tensor

from ies_mm.core.threads import one_thread


class LossHistory:
    """The last ``depth`` observations of every instance and term.

    An observation is one row of term losses for one instance in one epoch.
    An epoch in which an instance was not observed leaves its rows as they
    were: differences are taken between consecutive *observations*, as in the
    lists that the paper's program keeps, however many epochs lie between them
    (docs/design.md says why).

    Memory is ``4 * depth`` bytes an instance and term, and 4 bytes an
    instance for the counter.

    Args:
        instances (int): Number of instances N.
        terms (int): Number of loss terms T.
        depth (int): Observations kept, at least 1.
    """

    def __init__(self, instances: int, terms: int, depth: int) -> None:
        self.values = torch.full((depth, instances, terms), torch.nan)
        self.count = torch.zeros(instances, dtype=torch.int32)

    @property
    def depth(self) -> int:
        """Observations kept of every instance."""
        return self.values.shape[0]

    @property
    def instances(self) -> int:
        """Number of instances N."""
        return self.values.shape[1]

    @property
    def terms(self) -> int:
        """Number of terms T."""
        return self.values.shape[2]

    @one_thread()
    def observe(self, ids: Tensor, losses: Tensor) -> None:
        """Append one observation to each of some instances.

        A row with a NaN or infinite term is kept as all NaN: it makes the
        instance 'not mastered' while it is among the last observations, and
        is forgotten with them.

        Args:
            ids (Tensor): int64 (M,), each instance at most once.
            losses (Tensor): float (M, T).

        Raises:
            ValueError: An instance stands in ``ids`` twice, or the shapes do
                not fit.
        """
        if losses.shape != (len(ids), self.terms):
            raise ValueError(
                f'losses has shape {tuple(losses.shape)}, expected '
                f'({len(ids)}, {self.terms})'
            )
        times = torch.bincount(ids, minlength=self.instances).int()
        if times.max() > 1:
            raise ValueError('ids holds an instance twice')
        finite = torch.isfinite(losses).all(dim=1, keepdim=True)
        newest = torch.where(finite, losses.float(), torch.nan)
        self._age(ids, times == 0)
        self.values[-1].index_copy_(0, ids, newest)
        self.count += times

    def _age(self, ids: Tensor, others: Tensor) -> None:
        """Make room for one more observation of some, not of the others."""
        ages = range(self.depth - 1)
        if 2 * len(ids) < self.instances:
            for age in ages:
                self.values[age, ids] = self.values[age + 1, ids]
            return
        # Moving all rows, and the few others back, is several times as fast.
        unmoved = self.values[:, others]
        for age in ages:
            self.values[age] = self.values[age + 1]
        self.values[:, others] = unmoved

    def state_dict(self) -> dict[str, Tensor]:
        """The tensors that make up the history, not copied."""
        return {'values': self.values, 'count': self.count}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Take over a state of the same shape.

        Raises:
            ValueError: The state is of another depth, number of instances or
                number of terms.
        """
        if state['values'].shape != self.values.shape:
            raise ValueError(
                'the state holds (depth, instances, terms) = '
                f'{tuple(state["values"].shape)}, this run has '
                f'{tuple(self.values.shape)}'
            )
        self.values.copy_(state['values'])
        self.count.copy_(state['count'])
