"""Which images a classifier gets right, from its ordinary steps."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from mmengine.dist import all_gather_object
from torch import Tensor, nn

from ies_mm.losses.capture.patching import override
from ies_mm.losses.context import unwrap
from ies_mm.training.data.tagging import instances_of

COMPUTES = '_get_loss'
"""Method of mmpretrain's heads that takes scores and data samples."""

SEVERAL_LABELS = 'MultiLabelClsHead'


class Correctness:
    """Notes for each image whether its label had the highest score.

    Only for classifiers with one label per image and for unmixed images. It
    makes no forward pass of its own. In an iteration-based loop nothing is
    noted: its checkpoints fall within epochs, and its batches span them.

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
        head = getattr(unwrap(model), 'head', None)
        if not (self._by_epochs and _has_one_label(head)):
            yield
            return
        # Keep it out of a compiled forward.
        note = torch.compiler.disable(self._note)

        def computes(
            original: Callable,
            scores: Any,
            samples: Any,
            *args: Any,
            **kwargs: Any,
        ) -> Any:
            note(scores, samples)
            return original(scores, samples, *args, **kwargs)

        with override(head, COMPUTES, computes):
            yield

    def take(self) -> Tensor | None:
        """What all processes noted since the last call.

        Returns:
            Tensor: float32 (N,), the part of each image's passes that were
            right, NaN if it had none; None if nothing was noted.
        """
        # On every rank, even without notes, as all must gather together.
        parts = all_gather_object(self._local())
        self._ids, self._right = [], []
        ids = torch.cat([part[0] for part in parts])
        if not len(ids):
            return None
        right = torch.cat([part[1] for part in parts]).float()
        times = torch.zeros(self._instances).index_add_(
            0, ids, torch.ones(len(ids))
        )
        total = torch.zeros(self._instances).index_add_(0, ids, right)
        # 0 / 0 is NaN, which stands for 'not observed'.
        return total / times

    def _local(self) -> tuple[Tensor, Tensor]:
        """This rank's notes, copied from the device in one go."""
        if not self._ids:
            return torch.zeros(0, dtype=torch.long), torch.zeros(0).bool()
        return torch.cat(self._ids), torch.cat(self._right).cpu()

    def _note(self, scores: Any, samples: Sequence[Any]) -> None:
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
        self._right.append(found == torch.cat(labels))


def _has_one_label(head: Any) -> bool:
    names = [kind.__name__ for kind in type(head).__mro__]
    return hasattr(head, COMPUTES) and SEVERAL_LABELS not in names
