"""Soft IES in a config."""

from collections.abc import Mapping, Sequence

from mmengine.registry import HOOKS

from ies_mm.methods.soft_ies.rule import SoftIES
from ies_mm.training.hook.selection_hook import SelectionHook


@HOOKS.register_module()
class SoftIESHook(SelectionHook):
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
            SoftIES(
                saved,
                floor,
                weighted,
                order,
                window,
                terms,
                begin,
                anneal,
            ),
            keep_history,
            allow_batch_augments,
        )
