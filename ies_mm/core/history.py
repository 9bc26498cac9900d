"""The last observed losses of every instance, in flat tensors."""

import torch
from torch import Tensor

from ies_mm.core.threads import one_thread


class LossHistory:
    """The last ``depth`` observations of every instance and term.

    An observation is one row of term losses of one instance in one epoch. An
    epoch in which an instance is not observed leaves its rows unchanged:
    differences are taken between consecutive *observations*, as in the lists
    kept by the authors' code, however many epochs lie between them
    (docs/design.md says why).

    A term that joins late (:meth:`add_terms`) counts as zero. Its first value
    for an instance is copied to the earlier observations, so that differences
    across the seam come only from the other terms, and the jump of the sum
    affects no decision. The same applies when a term leaves or returns
    (:meth:`restart_terms`). If all losses jump because the pipeline was
    switched, the earlier observations are shifted by the jump of the image's
    own next one (:meth:`restart_level`).

    Memory: ``4 * depth`` bytes per instance and term, plus 4 bytes per
    instance for the counter.

    Args:
        instances (int): Number of instances N.
        terms (int): Number of loss terms T.
        depth (int): Observations kept, at least 1.

    Attributes:
        values (Tensor): float32 (depth, N, T), the newest last.
        count (Tensor): int32 (N,), observations so far.
        joining (Tensor, optional): bool (N, T), True where a term that joined
            late, left or returned was not observed since. None before any
            did.
        jumping (Tensor, optional): bool (N,), True for instances whose next
            observation cancels a jump. None before any.
        since_jump (Tensor, optional): int32 (N,), observations since the last
            jump, cancelled or not. None before any.
    """

    def __init__(self, instances: int, terms: int, depth: int) -> None:
        self.values = torch.full((depth, instances, terms), torch.nan)
        self.count = torch.zeros(instances, dtype=torch.int32)
        self.joining: Tensor | None = None
        self.jumping: Tensor | None = None
        self.since_jump: Tensor | None = None

    @property
    def depth(self) -> int:
        """Observations kept per instance."""
        return self.values.shape[0]

    @property
    def instances(self) -> int:
        """Number of instances N."""
        return self.values.shape[1]

    @property
    def terms(self) -> int:
        """Number of terms T."""
        return self.values.shape[2]

    def last_sums(self) -> Tensor:
        """The last loss of every instance, summed over its terms.

        Returns:
            Tensor: float64 (N,). NaN where it was not observed, is not finite
            or was recorded before a switch of the pipeline or the loss, after
            which losses are not comparable with it.
        """
        sums = self.values[-1].double().sum(dim=1)
        if self.jumping is not None:
            sums[self.jumping] = torch.nan
        return sums

    @one_thread()
    def observe(self, ids: Tensor, losses: Tensor) -> None:
        """Append one observation to each of the given instances.

        A row with a NaN or infinite term is stored as all NaN: the instance
        is not mastered until that observation drops out of the history.

        Args:
            ids (Tensor): int64 (M,), each instance at most once.
            losses (Tensor): float (M, T).

        Raises:
            ValueError: An instance is twice in ``ids``, or the shapes do not
                match.
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
        """Append columns for terms that joined late.

        Args:
            terms (int): How many.
        """
        # One column is enough: a row is finite in all terms or in none.
        observed = torch.isfinite(self.values[:, :, :1])
        new = torch.where(observed, 0.0, torch.nan).expand(-1, -1, terms)
        before = self.joining
        if before is None:
            before = torch.zeros(self.instances, self.terms, dtype=torch.bool)
        known = (self.count > 0)[:, None].expand(-1, terms)
        self.joining = torch.cat([before, known], dim=1)
        self.values = torch.cat([self.values, new], dim=2)

    def restart_terms(self, columns: list[int]) -> None:
        """Cancel the jump of some terms at their next observation.

        Args:
            columns (list of int): Terms that left, and are zero from now on,
                or that returned.
        """
        if self.joining is None:
            self.joining = torch.zeros(
                self.instances, self.terms, dtype=torch.bool
            )
        self.joining[:, columns] = (self.count > 0)[:, None]

    def restart_level(self) -> Tensor:
        """Cancel the jump of all terms at the next observation.

        Not for instances whose observations still hold another jump: with
        every jump cancelled, any curve would look flat.

        Returns:
            Tensor: bool (N,), observed instances whose jump counts.
        """
        if self.jumping is None or self.since_jump is None:
            self.jumping = torch.zeros(self.instances, dtype=torch.bool)
            # As if the last jump had already left the history.
            self.since_jump = torch.full_like(self.count, self.depth)
        known = self.count > 0
        self.jumping |= known & (self.since_jump >= self.depth)
        self.since_jump[known] = 0
        return known & ~self.jumping

    def state_dict(self) -> dict[str, Tensor]:
        """The history's tensors, not copied."""
        state = {'values': self.values, 'count': self.count}
        if self.joining is not None:
            state['joining'] = self.joining
        if self.jumping is not None and self.since_jump is not None:
            state['jumping'] = self.jumping
            state['since_jump'] = self.since_jump
        return state

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Restore a state of the same shape.

        Raises:
            ValueError: The state has another depth, number of instances or
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
            self.joining = state['joining'].bool()
        if 'since_jump' in state:
            self.jumping = state['jumping'].bool()
            self.since_jump = state['since_jump'].int()

    def _age(self, ids: Tensor, others: Tensor) -> None:
        """Make room for one more observation of ``ids``, not of the others."""
        ages = range(self.depth - 1)
        if 2 * len(ids) < self.instances:
            for age in ages:
                self.values[age, ids] = self.values[age + 1, ids]
            return
        # Moving all rows, then the few others back, is several times faster.
        # Indexing by a mask copies, so these rows survive the loop.
        unmoved = self.values[:, others]
        for age in ages:
            self.values[age] = self.values[age + 1]
        self.values[:, others] = unmoved

    def _move_along(self, ids: Tensor, newest: Tensor) -> None:
        """Shift the observations before a jump to the level after it."""
        if self.jumping is None or self.since_jump is None:
            return
        first = self.jumping[ids] & torch.isfinite(newest).all(dim=1)
        self.jumping[ids[first]] = False
        self.since_jump[ids] += 1
        # Then no observation before the jump is kept.
        if self.depth == 1:
            return
        by = newest[first] - self.values[-2, ids[first]]
        # After a NaN observation no difference is taken anyway.
        self.values[:-1, ids[first]] += by.nan_to_num(0.0)

    def _continue_backwards(self, ids: Tensor, newest: Tensor) -> None:
        """Copy a term's first value to the observations before it."""
        if self.joining is None:
            return
        first = self.joining[ids] & torch.isfinite(newest)
        for age in range(self.depth - 1):
            older = self.values[age, ids]
            # A NaN observation stays NaN, which keeps its instance in
            # training.
            filled = first & torch.isfinite(older)
            self.values[age, ids] = torch.where(filled, newest, older)
        self.joining[ids] &= ~first
