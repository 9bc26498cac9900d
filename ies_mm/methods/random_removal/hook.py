"""Random Remove, the control."""

from collections.abc import Sequence
from typing import Any

import torch
from mmengine.registry import HOOKS
from torch import Tensor

from ies_mm.core import Budget, LossHistory, Progress, Selection
from ies_mm.core.arguments import check_integer, check_ratio
from ies_mm.core.thresholds import build_threshold
from ies_mm.methods.random_removal.rule import random_removal
from ies_mm.training.hook.selection_hook import SelectionHook


@HOOKS.register_module()
class RandomRemovalHook(SelectionHook):
    """Random Remove, the control at equal compute (IES, appendix D).

    Every epoch leaves out as many instances, drawn anew, without any weights.
    They are neither loaded nor scored.

    Args:
        ratio (float or dict): The part left out, from 0 to below 1. With
            ``dict(type='Budget', saved=0.2)`` each epoch leaves out as many
            as in a run of IES with that ``delta``.
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
        ratio: float | dict,
        keep_history: bool = False,
        allow_batch_augments: bool = False,
        begin: int = 0,
    ) -> None:
        super().__init__(1, keep_history, allow_batch_augments)
        # Plain ones: MMEngine's own dicts would have to be unpickled.
        ratio = dict(ratio) if isinstance(ratio, dict) else ratio
        self._part = _part_of(ratio)
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
        ratio = self._share(epoch)
        return random_removal(instances, ratio, self.generator(epoch))

    def _share(self, epoch: int) -> float:
        """The part that the epoch after ``epoch`` leaves out."""
        if isinstance(self._part, float):
            return self._part
        epochs = self.pace.max_epochs
        return self._part.share(
            Progress(
                torch.zeros(0),
                instances=len(self.sampler.instances),
                epochs=epochs,
                epochs_able=epochs - self.begin,
                epochs_ahead=epochs - epoch,
                excluded=self.state.excluded,
            )
        )


def _part_of(ratio: Any) -> float | Budget:
    """A part of the instances, or what sets it from epoch to epoch."""
    if not isinstance(ratio, dict):
        check_ratio('ratio', ratio)
        return float(ratio)
    threshold = build_threshold(ratio)
    if not isinstance(threshold, Budget):
        raise ValueError(
            f"ratio={ratio!r}: give a number, or a dict of the type 'Budget'"
        )
    return threshold
