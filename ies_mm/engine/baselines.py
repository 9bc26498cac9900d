"""The methods that IES is compared with, which select between epochs."""

from collections.abc import Sequence

import torch
from mmengine.registry import HOOKS
from torch import Tensor

from ies_mm.core import (
    LossHistory,
    Selection,
    budget,
    hardest,
    infobatch,
    may_exclude,
    random_removal,
    update_hardness,
)
from ies_mm.core.arguments import check_integer, check_number, check_ratio
from ies_mm.engine.selection_hook import SelectionHook

UNKNOWN_SCORE = 3.0
"""InfoBatch's score of an instance that has not been observed."""


@HOOKS.register_module()
class InfoBatchHook(SelectionHook):
    """InfoBatch (Qin et al., ICLR 2024): soft pruning with rescaled losses.

    After every epoch the instances whose last loss is below the mean are
    *well learned*. A random part of them is left out of the next epoch, not
    loaded and not scored; the others of them are trained with a weight of
    ``1 / (1 - ratio)``. The last epochs train on everything, unweighted.

    Args:
        ratio (float): The part of the well-learned instances that is left
            out, from 0 to below 1. Defaults to 0.5.
        anneal (float): The last part of the epochs, 0 to 1, that trains on
            everything. Defaults to 0.125, InfoBatch's.
        keep_history (bool): See :class:`IESHook`. Defaults to False.
        allow_batch_augments (bool): See :class:`IESHook`. Defaults to False.

    Raises:
        TypeError: An argument is of the wrong type.
        ValueError: An argument is out of range.
    """

    method = 'InfoBatch'

    def __init__(
        self,
        ratio: float = 0.5,
        anneal: float = 0.125,
        keep_history: bool = False,
        allow_batch_augments: bool = False,
    ) -> None:
        super().__init__(1, keep_history, allow_batch_augments)
        check_ratio('ratio', ratio)
        check_number('anneal', anneal, 0, 1)
        self.ratio = ratio
        self.anneal = anneal

    def decide(
        self, history: LossHistory, names: Sequence[str], epoch: int
    ) -> tuple[Tensor, Selection]:
        """The well-learned instances, and what the next epoch trains."""
        scores = history.values[-1].double().sum(dim=1)
        scores[history.count == 0] = UNKNOWN_SCORE
        generator = self.generator(epoch)
        below, selection = infobatch(scores, self.ratio, generator)
        if may_exclude(epoch, self.pace.max_epochs, anneal=self.anneal):
            return below, selection
        return below, Selection.everything(history.instances)


@HOOKS.register_module()
class SmallLossRescaleHook(InfoBatchHook):
    """Small Loss & Rescale, InfoBatch without annealing (IES, appendix D).

    Args:
        ratio (float): See :class:`InfoBatchHook`. Defaults to 0.5.
        keep_history (bool): See :class:`IESHook`. Defaults to False.
        allow_batch_augments (bool): See :class:`IESHook`. Defaults to False.

    Raises:
        TypeError: An argument is of the wrong type.
        ValueError: An argument is out of range.
    """

    method = 'Small Loss & Rescale'

    def __init__(
        self,
        ratio: float = 0.5,
        keep_history: bool = False,
        allow_batch_augments: bool = False,
    ) -> None:
        super().__init__(ratio, 0.0, keep_history, allow_batch_augments)


@HOOKS.register_module()
class RandomRemovalHook(SelectionHook):
    """Random Remove, the control at equal compute (IES, appendix D).

    Every epoch leaves out as many instances, drawn anew, without any weights.
    They are neither loaded nor scored.

    Args:
        ratio (float): The part left out, from 0 to below 1.
        keep_history (bool): See :class:`IESHook`. Defaults to False.
        allow_batch_augments (bool): See :class:`IESHook`. Defaults to False.
        begin (int): Epochs, at least 0, that train on everything first.
            Defaults to 0. Six, as many as IES needs with its defaults, tells
            *which* images are left out from *when* that is done.

    Raises:
        TypeError: An argument is of the wrong type.
        ValueError: An argument is out of range.
    """

    method = 'Random Remove'

    def __init__(
        self,
        ratio: float,
        keep_history: bool = False,
        allow_batch_augments: bool = False,
        begin: int = 0,
    ) -> None:
        super().__init__(1, keep_history, allow_batch_augments)
        check_ratio('ratio', ratio)
        check_integer('begin', begin, 0)
        self.ratio = ratio
        self.begin = begin

    def first_selection(self) -> Selection:
        """Leave out of the first epoch, or the first after a plain run."""
        return self._drawn(self.pace.epochs_behind)

    def decide(
        self, history: LossHistory, names: Sequence[str], epoch: int
    ) -> tuple[Tensor, Selection]:
        """Nothing is judged."""
        nothing = torch.zeros(history.instances, dtype=torch.bool)
        return nothing, self._drawn(epoch)

    def _drawn(self, epoch: int) -> Selection:
        instances = len(self.sampler.instances)
        if epoch < self.begin:
            return Selection.everything(instances)
        return random_removal(instances, self.ratio, self.generator(epoch))


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
