"""How much of each image a model gets right, from its ordinary steps."""

import inspect
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from mmengine.dist import all_gather_object
from torch import Tensor, nn
from torch.nn.functional import interpolate

from ies_mm.losses.capture.patching import override
from ies_mm.losses.context import unwrap
from ies_mm.training.data.tagging import instances_of, partners_in

COMPUTES = '_get_loss'
"""Method of mmpretrain's heads that takes scores and data samples."""

SEVERAL_LABELS = 'MultiLabelClsHead'

OF_PIXELS = 'loss_by_feat'
"""Method of mmseg's heads that takes logits and data samples."""

Note = Callable[[Any, Sequence[Any]], None]


class Correctness:
    """Notes what part of each image had the highest score for its label.

    0 or 1 for a classifier with one label per image, the share of labelled
    pixels for a segmentor, where its head computes logits. A batch with a
    mixture of images is skipped. It makes no forward pass of its own. In an
    iteration-based loop nothing is noted: its checkpoints fall within epochs,
    and its batches span them.

    Args:
        instances (int): Number of instances N.
        by_epochs (bool): Whether the loop is epoch-based.
    """

    def __init__(self, instances: int, by_epochs: bool) -> None:
        self._instances = instances
        self._by_epochs = by_epochs
        self._ids: list[Tensor] = []
        self._right: list[Tensor] = []

    @contextmanager
    def noting(self, model: nn.Module) -> Iterator[None]:
        """Note the loss forwards inside the context.

        Args:
            model (nn.Module): Wrapped in DDP or not.
        """
        found = self._head_of(unwrap(model)) if self._by_epochs else None
        if found is None:
            yield
            return
        head, computes, note = found

        @torch.compiler.disable
        def note_call(original: Callable, args: Any, kwargs: Any) -> None:
            given = inspect.signature(original).bind(*args, **kwargs)
            scores, samples = given.args[:2]
            if not any(map(partners_in, samples)):
                note(scores, samples)

        def noted(original: Callable, *args: Any, **kwargs: Any) -> Any:
            # Kept out of a compiled forward.
            note_call(original, args, kwargs)
            return original(*args, **kwargs)

        with override(head, computes, noted):
            yield

    def _head_of(self, model: Any) -> tuple[Any, str, Note] | None:
        """The head that is watched, its method, and what notes its calls."""
        head = getattr(model, 'head', None)
        if _has_one_label(head):
            return head, COMPUTES, self._note_labels
        head = getattr(model, 'decode_head', None)
        # Of a cascade, the last one predicts.
        head = head[-1] if isinstance(head, nn.ModuleList) else head
        if hasattr(head, OF_PIXELS) and hasattr(head, 'ignore_index'):
            return head, OF_PIXELS, partial(self._note_pixels, head)
        return None

    def take(self) -> Tensor | None:
        """What all processes noted since the last call.

        Returns:
            Tensor: float32 (N,), the mean over each image's passes, NaN if it
            had none; None if nothing was noted.
        """
        # On every rank, even without notes, as all must gather together.
        parts = all_gather_object(self._local())
        self._ids, self._right = [], []
        ids = torch.cat([part[0] for part in parts])
        if not len(ids):
            return None
        right = torch.cat([part[1] for part in parts])
        times = torch.zeros(self._instances).index_add_(
            0, ids, torch.ones(len(ids))
        )
        total = torch.zeros(self._instances).index_add_(0, ids, right)
        # 0 / 0 is NaN, which stands for 'not observed'.
        return total / times

    def _local(self) -> tuple[Tensor, Tensor]:
        """This rank's notes, copied from the device in one go."""
        if not self._ids:
            return torch.zeros(0, dtype=torch.long), torch.zeros(0)
        ids, right = torch.cat(self._ids), torch.cat(self._right).cpu()
        # An image without a labelled pixel has no share.
        return ids[right.isfinite()], right[right.isfinite()]

    def _note_labels(self, scores: Any, samples: Sequence[Any]) -> None:
        labels: list[Any] = [
            getattr(sample, 'gt_label', None) for sample in samples
        ]
        if not (isinstance(scores, Tensor) and scores.ndim == 2):
            return
        # One label each; a mixture has a gt_score instead.
        if any(hasattr(sample, 'gt_score') for sample in samples) or any(
            label is None or label.numel() != 1 for label in labels
        ):
            return
        self._ids.append(instances_of(samples))
        found = scores.detach().argmax(dim=1)
        self._right.append((found == torch.cat(labels)).float())

    def _note_pixels(
        self, head: Any, logits: Any, samples: Sequence[Any]
    ) -> None:
        # Point heads pass points, and two-class heads may have one channel.
        if not (isinstance(logits, Tensor) and logits.ndim == 4):
            return
        if logits.shape[1] < 2:
            return
        maps = torch.stack([sample.gt_sem_seg.data for sample in samples])
        # On the small grid of the logits: enlarging them would cost as much
        # as the loss.
        labels = interpolate(maps.float(), logits.shape[2:]).squeeze(1)
        known = labels != head.ignore_index
        right = (logits.detach().argmax(dim=1) == labels) & known
        self._ids.append(instances_of(samples))
        self._right.append(right.sum(dim=(1, 2)) / known.sum(dim=(1, 2)))


def _has_one_label(head: Any) -> bool:
    names = [kind.__name__ for kind in type(head).__mro__]
    return hasattr(head, COMPUTES) and SEVERAL_LABELS not in names
