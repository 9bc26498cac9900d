"""Soft IES in a config."""

from collections.abc import Mapping, Sequence
from typing import Any

from mmengine.registry import HOOKS

from ies_mm.methods.soft_ies.rule import SoftIES
from ies_mm.training.hook.selection_hook import SelectionHook


@HOOKS.register_module()
class SoftIESHook(SelectionHook):
    """Soft IES: prunes at random, flat images more often.

    Every epoch prunes as many images as ``IESHook`` would with
    ``delta=dict(type='Budget', saved=...)``, but draws them, with
    probabilities that depend on the rank of their flatness. Each trained
    image is weighted by the inverse of its probability of being trained, so
    the expected gradient of an epoch is the gradient of all images; without
    weights it is biased towards images that are not flat. Every image is
    trained from time to time, so no scoring pass is needed. See
    :mod:`ies_mm.methods.soft_ies.rule`.

    Args:
        saved (float): Share of all instance-epochs to prune, 0 to 0.9.
        floor (float): Probability that the flattest image is trained,
            relative to the average image, 0.01 to 1; larger if others are
            certain to be trained. Defaults to 0.5. 1 is random pruning.
        weighted (bool): Weight the losses. Defaults to True.
        order (int): See :class:`IESHook`. Defaults to 0, the loss itself.
        window (int): See :class:`IESHook`. Defaults to 5.
        terms (str, list of str or dict): See :class:`IESHook`. Defaults to
            ``'sum'``.
        begin (int): See :class:`IESHook`. Defaults to 1.
        anneal (float): See :class:`IESHook`. Defaults to 0.
        replacement (bool): Whether each epoch draws independently of the
            ones before. If not, every image comes back at about even
            intervals, 1 / probability. Defaults to True.
        **common: ``keep_history``, ``allow_batch_augments``, ``fallback``,
            ``observe`` and ``scoring``, see :class:`SelectionHook`.

    Raises:
        TypeError: An argument is unknown or of the wrong type.
        ValueError: An argument is out of range.
    """

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
        replacement: bool = True,
        **common: Any,
    ) -> None:
        method = SoftIES(
            saved, floor, weighted, order, window, terms, begin, anneal,
            replacement,
        )  # fmt: skip
        super().__init__(method, **common)
