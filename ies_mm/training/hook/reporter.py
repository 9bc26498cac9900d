"""Writes and logs what happened in an epoch."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from mmengine.dist import is_main_process
from mmengine.runner import Runner
from torch import Tensor

from ies_mm.report import RunRecords
from ies_mm.training.data.identity import InstanceMap
from ies_mm.training.data.names import readable


class Reporter:
    """Completes an epoch's record, writes it, and logs one line of it.

    Args:
        instances (InstanceMap): Numbering of the dataset.
        runner (Runner): Its log and work directory are written to.
        keep (int, optional): Epochs of per-instance values to keep; None for
            all.
    """

    def __init__(
        self, instances: InstanceMap, runner: Runner, keep: int | None
    ) -> None:
        self.instances = instances
        self.runner = runner
        self._logger = runner.logger
        self._named_non_finite: set[int] = set()
        self._warned_of_disk = False
        self._records = RunRecords(
            Path(runner.work_dir) / 'ies',
            # Only this process writes, and the names of all images are large.
            instances.names() if is_main_process() else (),
            keep,
            runner.logger.warning,
        )

    def open(self, after: int) -> None:
        """Start the files, or continue them after some epoch."""
        if is_main_process():
            with self._writing():
                self._records.open(after)

    def begin(self, **scalars: float) -> None:
        """Have MMEngine log these scalars beside the epoch's losses."""
        for name, value in scalars.items():
            # LogProcessor collects what begins with 'train'.
            self.runner.message_hub.update_scalar(f'train/ies/{name}', value)

    def add(
        self,
        record: dict[str, Any],
        names: list[str],
        ids: Tensor,
        losses: Tensor,
        trained: Tensor,
        excluded: Tensor,
        decided: str,
        correct: Tensor | None,
    ) -> None:
        """Record an epoch; see :meth:`RunRecords.add`.

        Args:
            record (dict): The record of the epoch.
            names (list of str): Names of the T terms.
            ids (Tensor): int64 (M,), observed instances.
            losses (Tensor): float32 (M, T).
            trained (Tensor): bool (N,).
            excluded (Tensor): bool (N,).
            decided (str): The decision, in the words of the log.
            correct (Tensor, optional): float32 (N,), see
                :meth:`Correctness.take`.
        """
        finite = torch.isfinite(losses).all(dim=1)
        self._name_non_finite(record['epoch'], ids[~finite])
        means: list[float | None] = [None] * len(names)
        if finite.any():  # JSON has no NaN, which an empty mean would be.
            means = losses[finite].double().mean(dim=0).tolist()
        record = record | {
            'non_finite': int((~finite).sum()),
            'loss': dict(zip(names, means, strict=True)),
        }
        if is_main_process():
            with self._writing():
                self._records.add(
                    record, names, ids, losses, trained, correct, excluded
                )
        self.say(record, ids[finite], losses[finite], decided)

    def say(
        self, record: dict[str, Any], ids: Tensor, losses: Tensor, decided: str
    ) -> None:
        """Log one line about an epoch.

        That of ``PerImageLossHook`` names the images with the largest losses.

        Args:
            record (dict): The record of the epoch.
            ids (Tensor): int64 (M,), instances observed with finite losses.
            losses (Tensor): float32 (M, T).
            decided (str): As in :meth:`add`.
        """
        self._logger.info(
            '{method} epoch {epoch}: trained {trained} of {instances} images, '
            'scored {forward_only} by forward passes only, {decided}saved '
            '{saved:.1%} so far'.format(**record, decided=decided)
        )

    def end(self, epochs: int, reason: str) -> None:
        """Record that the training has ended.

        Args:
            epochs (int): Number of recorded epochs.
            reason (str): ``'planned'``, or why it ended earlier.
        """
        if is_main_process():
            with self._writing():
                self._records.end({'epochs': epochs, 'reason': reason})

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Warn once of a disk that cannot be written to."""
        try:
            yield
        except OSError as error:
            if not self._warned_of_disk:
                self._logger.warning(
                    f'{self._records.folder} cannot be written to: '
                    f'{error.strerror}; the training continues, and its '
                    'epochs are recorded as soon as writing works again'
                )
            self._warned_of_disk = True

    def _name_non_finite(self, epoch: int, ids: Tensor) -> None:
        new = [i for i in ids.tolist() if i not in self._named_non_finite]
        if not new:
            return
        self._named_non_finite.update(new)
        names = self.instances.names()
        paths = [readable(names[i]) for i in new[:5]]
        self._logger.warning(
            f'{len(new)} images have a loss that is NaN or infinite in epoch '
            f'{epoch} and stay in training: {", ".join(paths)}'
            f'{" ..." if len(new) > 5 else ""} (each is named once; '
            'ies/epochs.jsonl counts them as non_finite)'
        )
