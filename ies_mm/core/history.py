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

    A term that joins late (:meth:`add_terms`) counts as zero. When an instance
    is first observed with it, that value is taken for the earlier ones too:
    the differences across the seam are then those of the other terms, and the
    jump of the sum masters or frees nobody. The same where a term leaves, or
    comes back (:meth:`restart_terms`). Where all losses jump, since another
    pipeline makes the samples, the earlier observations move along with the
    image's own next one (:meth:`restart_level`).

    Memory is ``4 * depth`` bytes an instance and term, and 4 bytes an
    instance for the counter.

    Args:
        instances (int): Number of instances N.
        terms (int): Number of loss terms T.
        depth (int): Observations kept, at least 1.

    Attributes:
        values (Tensor): float32 (depth, N, T), the newest last.
        count (Tensor): int32 (N,), observations so far.
        joining (Tensor, optional): bool (N, T), instances that a term which
            joined late, or left, was not observed of since. None before any
            did.
        jumping (Tensor, optional): bool (N,), instances that were not
            observed since the last jump. None before any.
    """

    def __init__(self, instances: int, terms: int, depth: int) -> None:
        self.values = torch.full((depth, instances, terms), torch.nan)
        self.count = torch.zeros(instances, dtype=torch.int32)
        self.joining: Tensor | None = None
        self.jumping: Tensor | None = None

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
        self._move_along(ids, newest)
        self._continue_backwards(ids, newest)

    def add_terms(self, terms: int) -> None:
        """Make room for terms that joined, after those there are.

        Args:
            terms (int): How many.
        """
        observed = torch.isfinite(self.values[:, :, :1])
        new = torch.where(observed, 0.0, torch.nan).expand(-1, -1, terms)
        before = self.joining
        if before is None:
            before = torch.zeros(self.instances, self.terms, dtype=torch.bool)
        known = (self.count > 0)[:, None].expand(-1, terms)
        self.joining = torch.cat([before, known], dim=1)
        self.values = torch.cat([self.values, new], dim=2)

    def restart_terms(self, columns: list[int]) -> None:
        """Take no difference across the coming observation of some terms.

        Args:
            columns (list of int): Terms that left, and are zero from now on,
                or that came back.
        """
        if self.joining is None:
            self.joining = torch.zeros(
                self.instances, self.terms, dtype=torch.bool
            )
        self.joining[:, columns] = (self.count > 0)[:, None]

    def restart_level(self) -> None:
        """Take no difference across the coming observation of any term."""
        self.jumping = self.count > 0

    def _move_along(self, ids: Tensor, newest: Tensor) -> None:
        """Have the observations before a jump end where it has led."""
        if self.jumping is None:
            return
        first = self.jumping[ids] & torch.isfinite(newest).all(dim=1)
        self.jumping[ids[first]] = False
        if self.depth == 1:
            return
        by = newest[first] - self.values[-2, ids[first]]
        # Behind an observation that is NaN no difference is taken anyway.
        self.values[:-1, ids[first]] += by.nan_to_num(0.0)

    def _continue_backwards(self, ids: Tensor, newest: Tensor) -> None:
        """Give a term's first value to the observations before it."""
        if self.joining is None:
            return
        first = self.joining[ids] & torch.isfinite(newest)
        for age in range(self.depth - 1):
            older = self.values[age, ids]
            filled = first & torch.isfinite(older)
            self.values[age, ids] = torch.where(filled, newest, older)
        self.joining[ids] &= ~first

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
        state = {'values': self.values, 'count': self.count}
        if self.joining is not None:
            state['joining'] = self.joining
        if self.jumping is not None:
            state['jumping'] = self.jumping
        return state

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
        if 'joining' in state:
            self.joining = state['joining'].to('cpu', torch.bool)
        if 'jumping' in state:
            self.jumping = state['jumping'].to('cpu', torch.bool)
