"""DIHCL: the hard instances first."""

from collections.abc import Sequence

import torch
from mmengine.registry import HOOKS
from torch import Tensor

from ies_mm.core import LossHistory, Selection
from ies_mm.core.arguments import check_integer, check_number
from ies_mm.methods.dihcl.rule import budget, hardest, update_hardness
from ies_mm.training.hook.selection_hook import SelectionHook


@HOOKS.register_module()
class DIHCLHook(SelectionHook):
    """DIHCL (Zhou et al., NeurIPS 2020), its variant DIHCL-Rand.

    The running hardness of an instance is an exponential average of its
    losses, each divided by the learning rate at the end of its epoch. After
    the warm-up an epoch trains a *budget* of instances, drawn with a
    probability in proportion to their running hardness. What is not drawn is
    neither loaded nor scored and keeps its hardness.

    Args:
        warmup (int): First epochs that train on everything, 1 or more.
            Defaults to 5.
        discount (float): Weight of the newest loss, 0 to 1. Defaults to 0.9.
        start (float): Budget of the first epoch after the warm-up, a part of
            all instances. Defaults to 1.
        factor (float): Of the budget, from epoch to epoch: below 1 it
            shrinks, above 1 it grows. Defaults to 0.9.
        end (float): The budget that is kept when it is reached. Defaults to
            0.5.
        keep_history (bool): See :class:`IESHook`. Defaults to False.
        allow_batch_augments (bool): See :class:`IESHook`. Defaults to False.

    Raises:
        TypeError: An argument is of the wrong type.
        ValueError: An argument is out of range, or ``factor`` leads away
            from ``end``.
    """

    method = 'DIHCL'

    def __init__(
        self,
        warmup: int = 5,
        discount: float = 0.9,
        start: float = 1.0,
        factor: float = 0.9,
        end: float = 0.5,
        keep_history: bool = False,
        allow_batch_augments: bool = False,
    ) -> None:
        super().__init__(1, keep_history, allow_batch_augments)
        check_integer('warmup', warmup, 1)
        check_number('discount', discount, 0, 1)
        check_number('start', start, 0, 1)
        check_number('end', end, 0, 1)
        check_number('factor', factor, 0)
        grows = factor > 1 and start > 0
        if (end < start and factor >= 1) or (end > start and not grows):
            raise ValueError(
                f'factor={factor} does not lead from start={start} to '
                f'end={end}: give a factor below 1 for a budget that shrinks, '
                'above 1 (and a start above 0) for one that grows'
            )
        self.warmup = warmup
        self.discount = discount
        self.start = start
        self.factor = factor
        self.end = end

    def reset(self) -> None:
        """Nothing is known of any instance: float64 (N,) of NaN."""
        instances = len(self.sampler.instances)
        self.running = torch.full((instances,), torch.nan).double()

    def take_in(self, ids: Tensor, losses: Tensor) -> None:
        """Update the running hardness of what was observed."""
        rates = self.pace.runner.optim_wrapper.get_lr()
        rate = next(iter(rates.values()))[0]
        # A rate of zero says nothing of how hard an image is.
        hardness = losses.double().sum(dim=1) / (rate or 1.0)
        update_hardness(self.running, ids, hardness, self.discount)

    def decide(
        self, history: LossHistory, names: Sequence[str], epoch: int
    ) -> tuple[Tensor, Selection]:
        """The next epoch's budget, drawn by hardness."""
        nothing = torch.zeros(history.instances, dtype=torch.bool)
        if epoch < self.warmup:
            return nothing, Selection.everything(history.instances)
        part = budget(epoch - self.warmup, self.start, self.factor, self.end)
        generator = self.generator(epoch)
        return nothing, hardest(self.running, part, generator)

    def method_state(self) -> dict[str, Tensor]:
        """The running hardness."""
        return {'running': self.running}

    def load_method_state(self, state: dict[str, Tensor]) -> None:
        """Go on with the running hardness of a checkpoint."""
        self.running = state['running'].cpu()
