"""IES by chance: no image is left out for good, none is scored."""

from collections.abc import Mapping, Sequence
from inspect import signature
from typing import Any

import torch
from mmengine.registry import HOOKS
from torch import Tensor

from ies_mm.core import Budget, LossHistory, Selection
from ies_mm.core.arguments import check_flag, check_number
from ies_mm.methods.ies.hook import IESHook
from ies_mm.methods.soft_ies.rule import soft_removal

LEAST_FLOOR = 0.01
"""The smallest ``floor``; an image counts 1 / floor times at most."""


@HOOKS.register_module()
class SoftIESHook(IESHook):
    """IES that draws: the flatter an image, the likelier it is left out.

    Every epoch leaves out as many images as ``IESHook`` would with
    ``delta=dict(type='Budget', saved=...)``, but drawn by chance, each with
    a chance by the rank of its flatness. Weighted by the inverse of its
    chance, what is trained more often counts less, and the expectation of an
    epoch's gradient is that of all images; without weights it leans towards
    the images that are not flat. As each is trained now and then, nothing is
    scored by forward passes. See :mod:`ies_mm.methods.soft_ies.rule`.

    Args:
        saved (float): The share of all instance-epochs that is left out, 0
            to 0.9.
        floor (float): The chance of the flattest image to be trained, of the
            mean image's, 0.01 to 1; more where others are trained for
            certain. Defaults to 0.5. With 1 it is random removal.
        weighted (bool): Weight the losses. Defaults to True.
        order (int): See :class:`IESHook`. Defaults to 0, the loss itself.
        window (int): See :class:`IESHook`. Defaults to 5.
        terms (str, list of str or dict): See :class:`IESHook`. Defaults to
            ``'sum'``.
        begin (int): See :class:`IESHook`. Defaults to 1.
        anneal (float): See :class:`IESHook`. Defaults to 0.
        keep_history (bool): See :class:`IESHook`. Defaults to False.
        allow_batch_augments (bool): See :class:`IESHook`. Defaults to False.

    Raises:
        TypeError: An argument is of the wrong type.
        ValueError: An argument is out of range.
    """

    method = 'Soft IES'

    def __init__(
        self,
        saved: float,
        floor: float = 0.5,
        weighted: bool = True,
        order: int = 0,
        window: int = 5,
        terms: str | Sequence[str] | Mapping[str, float] = 'sum',
        begin: int = 1,
        anneal: float = 0.0,
        keep_history: bool = False,
        allow_batch_augments: bool = False,
    ) -> None:
        super().__init__(
            dict(type='Budget', saved=saved),
            order,
            window,
            terms,
            begin=begin,
            anneal=anneal,
            keep_history=keep_history,
            allow_batch_augments=allow_batch_augments,
        )
        self._budget = Budget(saved)
        check_number('floor', floor, LEAST_FLOOR, 1)
        check_flag('weighted', weighted)
        self.saved = saved
        self.floor = floor
        self.weighted = weighted

    def arguments(self) -> dict[str, Any]:
        """What the method was made with, by name."""
        own = signature(type(self)).parameters
        return {k: v for k, v in super().arguments().items() if k in own}

    def due(self, epoch: int) -> Tensor:
        """Nobody: whoever was left out is trained before long."""
        return torch.zeros(len(self.instances), dtype=torch.bool)

    def judge(
        self, history: LossHistory, names: Sequence[str], epoch: int
    ) -> tuple[Tensor, Selection]:
        """Those drawn to be left out, bool (N,), and what to train."""
        self.delta = None
        selection = Selection.everything(history.instances)
        if self.course.may_exclude(epoch):
            selection = self._drawn(history, names, epoch)
        return ~selection.active, selection

    def _drawn(
        self, history: LossHistory, names: Sequence[str], epoch: int
    ) -> Selection:
        """What to train; everything where nothing is known yet."""
        progress = self.progress(names, epoch)
        scale = self._budget.scale(progress)
        scores = self.criterion.scores(history, names, scale)
        if scores.isnan().all():
            return Selection.everything(history.instances)
        share = self._budget.share(progress)
        generator = self.generator(epoch)
        return soft_removal(
            scores, share, self.floor, generator, self.weighted
        )
