"""IES in a config."""

from collections.abc import Mapping, Sequence
from typing import Any

from mmengine.registry import HOOKS

from ies_mm.core.removed import check_removed
from ies_mm.methods.ies.rule import IES
from ies_mm.training.hook.selection_hook import SelectionHook


@HOOKS.register_module()
class IESHook(SelectionHook):
    """Instance-dependent Early Stopping (ICLR 2025, Algorithm 1).

    After every epoch each image's loss curve is judged; an image whose curve
    is flat is left out of the next epoch, scored by forward passes only, and
    trained again as soon as its curve moves. Works together with
    :class:`IESSampler`. Nothing of the training changes before the first
    image is left out.

    Args:
        delta (float or dict): An image is mastered when the mean of its last
            ``window`` absolute loss differences of order ``order`` is below
            this, in units of the loss. 0 excludes nothing. The paper uses
            1e-3 for CIFAR-10; detectors need far more, see docs/results.md.
            A dict has it set itself: ``dict(type='Budget', saved=0.2)`` or
            ``dict(type='Relative', factor=4.34e-4)``, see
            :mod:`ies_mm.core.thresholds`.
        order (int): Order of the difference, 0 to 3. Defaults to 2.
        window (int): Differences averaged, 1 to 1000. Defaults to 3.
        terms (str, list of str or dict): ``'sum'`` judges the summed loss,
            ``'all'`` wants every term mastered, ``'any'`` one; a list of term
            names judges their sum, a dict of weights their weighted sum.
            Defaults to ``'sum'``.
        refresh_interval (int or dict): Excluded images are scored every so
            many epochs. Defaults to 1, as in the paper, with ``delta``. With
            ``dict(type='Spaced', cap=8)`` each one is after 1 epoch, then
            after 2 more, 4 more, ..., at most ``cap``, as long as it stays
            mastered; with ``by='training'`` too it is trained then instead of
            scored, without any forward pass over what is left out. See
            :mod:`ies_mm.core.rechecks`.
        begin (int): First epoch, from 1, after which anything may be
            excluded. Defaults to 1.
        anneal (float): The last part of the epochs, 0 to 1, that trains on
            everything. Defaults to 0.
        keep_history (bool): Keep all epochs in ``ies/instances.npz``, not
            just the last ones. Defaults to False.
        dry_run (bool): Record and decide, but exclude nothing. Defaults to
            False.
        allow_batch_augments (bool): Train with Mixup, CutMix and their like.
            What is recorded for an image is then the loss of the mixture in
            its place of the batch, against the mixed label, also when it is
            scored by a forward pass. Defaults to False, which refuses them.
        refresh_batch_size (int, optional): Batch size of the forward passes,
            which need less memory than training. Defaults to None, the
            training's.
        fallback (bool): Compute the losses of a model that has a head without
            an adapter by a forward pass for every image past the features,
            see docs/adapters.md. Defaults to False, which refuses it.
        saved (float, optional): The recommended setting, instead of
            ``delta``: leaves out what is needed to save this share of the
            training, 0 to 0.9, with ``delta=dict(type='Budget', saved=saved)``
            and ``refresh_interval=dict(type='Spaced', cap=8, by='training')``.
        observe (str): How images are observed while the training mixes them
            (Mosaic, MixUp, CopyPaste, CutMix ...): ``'scoring'``, by forward
            passes over all of them without mixing, in the place of what
            ``refresh_interval`` says; or ``'mixtures'``, by the losses of all
            mixtures that they are in, without such passes. Defaults to
            ``'scoring'``.
        scoring_interval (int, optional): Epochs between two such passes.
            Defaults to None: 7, which keeps them below 5% of the training
            time, and fewer in a training of less than 84 epochs.
        scoring_pipeline (list of dict, optional): The pipeline of these
            passes, from loading to packing. Defaults to None: the training's
            without what mixes images or draws at random; the log shows it.

    Raises:
        TypeError: An argument is of the wrong type, or both or neither of
            ``delta`` and ``saved`` were given.
        ValueError: An argument is out of range.
    """

    def __init__(
        self,
        delta: float | dict | None = None,
        order: int = 2,
        window: int = 3,
        terms: str | Sequence[str] | Mapping[str, float] = 'sum',
        refresh_interval: int | dict | None = None,
        begin: int = 1,
        anneal: float = 0.0,
        keep_history: bool = False,
        dry_run: bool = False,
        allow_batch_augments: bool = False,
        refresh_batch_size: int | None = None,
        fallback: bool = False,
        saved: float | None = None,
        observe: str = 'scoring',
        scoring_interval: int | None = None,
        scoring_pipeline: list | None = None,
        **unknown: Any,
    ) -> None:
        check_removed('IESHook', unknown)
        if unknown:
            name = next(iter(unknown))
            raise TypeError(
                f'IESHook got an unexpected keyword argument {name!r}'
            )
        super().__init__(
            IES(
                delta,
                order,
                window,
                terms,
                refresh_interval,
                begin,
                anneal,
                dry_run,
                saved,
            ),
            keep_history,
            allow_batch_augments,
            refresh_batch_size,
            fallback,
            observe,
            scoring_interval,
            scoring_pipeline,
        )
