"""What a head that samples its anchors at random would lose on average.

mmdet's ``RandomSampler`` draws p of an image's P positive anchors and n of its
N negative ones; p and n follow from P and N alone. The head has outputs for
every anchor, so the mean over all draws needs no further forward: a positive
anchor counts with p / P, a negative one with n / N. The loss is divided by
p + n, as that of any draw.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import torch
from mmdet.models.task_modules.prior_generators import anchor_inside_flags
from mmdet.models.task_modules.samplers import RandomSampler
from torch import Tensor

from ies_mm.losses.calls import LossCall
from ies_mm.losses.patching import override


@dataclass(frozen=True)
class Draw:
    """What was drawn of an image's A anchors.

    Attributes:
        sample (Any): mmdet's SamplingResult.
        assigned (Tensor): int64, of the anchors inside of the image: 0 for a
            negative one, -1 for one that is neither, else positive.
        inside (Tensor): bool (A,), the anchors inside of the image.
    """

    sample: Any
    assigned: Tensor
    inside: Tensor

    def positive(self) -> Tensor:
        """The positive anchors, bool (A,)."""
        return self._on_all(self.assigned > 0)

    def chance(self) -> Tensor:
        """With which chance each anchor is drawn, float32 (A,)."""
        positive, negative = self.assigned > 0, self.assigned == 0
        of_positive = len(self.sample.pos_inds) / positive.sum().clamp(min=1)
        of_negative = len(self.sample.neg_inds) / negative.sum().clamp(min=1)
        return self._on_all(positive * of_positive + negative * of_negative)

    def _on_all(self, values: Tensor) -> Tensor:
        empty = values.new_zeros(self.inside.shape)
        return empty.masked_scatter(self.inside, values)


def draws_at_random(head: Any) -> bool:
    """Whether :func:`expected_calls` knows the head's sampler."""
    sampler = head.sampler
    return type(sampler) is RandomSampler and not sampler.add_gt_as_proposals


@contextmanager
def noted_draws(head: Any) -> Iterator[list[Draw]]:
    """Note what the head draws of every image of a batch, in order."""
    drawn: list[tuple[Any, Tensor]] = []
    draws: list[Draw] = []

    def sample(
        original: Callable, assigned: Any, *args: Any, **kw: Any
    ) -> Any:
        drawn.append((original(assigned, *args, **kw), assigned.gt_inds))
        return drawn[-1][0]

    def targets(
        original: Callable, anchors: Any, valid: Any, gt: Any, meta: Any,
        *args: Any, **kwargs: Any,
    ) -> Any:  # fmt: skip
        result = original(anchors, valid, gt, meta, *args, **kwargs)
        border = head.train_cfg['allowed_border']
        size = meta['img_shape'][:2]
        inside = anchor_inside_flags(anchors, valid, size, border)
        draws.append(Draw(*drawn[-1], inside))
        return result

    with (
        override(head.sampler, 'sample', sample),
        override(head, '_get_targets_single', targets),
    ):
        yield draws


def expected_calls(
    calls: list[LossCall], draws: list[Draw], head: Any
) -> list[LossCall]:
    """The classification calls, weighted by the chance to be drawn.

    Args:
        calls (list of LossCall): ``loss_cls`` of every level, whose rows
            stand image after image.
        draws (list of Draw): Of every image.
        head (RPNHead): A class-agnostic head, such as RPNHead.
    """
    positive = torch.stack([draw.positive() for draw in draws])
    chance = torch.stack([draw.chance() for draw in draws])
    labels = torch.where(positive, 0, head.num_classes)
    if head.train_cfg['pos_weight'] > 0:
        chance = torch.where(
            positive, chance * head.train_cfg['pos_weight'], chance
        )
    lengths = [len(call.args[0]) // len(draws) for call in calls]
    levels = zip(
        calls, labels.split(lengths, 1), chance.split(lengths, 1), strict=True
    )
    return [
        # What was summed up was of the rows drawn.
        replace(
            call,
            args=(call.args[0], label.flatten(), weight.flatten()),
            reduced=None,
        )
        for call, label, weight in levels
    ]
