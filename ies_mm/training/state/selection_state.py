"""What a selection method knows after an epoch, and its checkpoint form."""

from typing import Any

import torch
from torch import Tensor

from ies_mm.core import LossHistory, Selection
from ies_mm.errors import ConfigError


class SelectionState:
    """History, selection and counts of a run.

    Args:
        instances (int): Number of instances N.
        depth (int): Observations that the method reads.

    Attributes:
        names (list of str): Names of the terms, known from the first batch.
        absent (set of str): Terms that no batch of the last epoch had.
        transforms (str, optional): Those of the last epoch, see
            :func:`described_pipeline`; None before the first.
        loss_modules (dict, optional): Loss modules of the last epoch, see
            :class:`LossModules`; None before the first.
        history (LossHistory): Filled from the first epoch on.
        selection (Selection): Selection of the current or next epoch.
        left_out (Tensor): bool (N,), instances the last epoch did not train.
        epochs (int): Epochs trained.
        begun (int): Epochs trained before the method began.
        excluded (int): Instance-epochs pruned so far.
        mastered (int): Instances mastered after the last epoch.
    """

    def __init__(self, instances: int, depth: int) -> None:
        self.instances = instances
        self.names: list[str] = []
        self.absent: set[str] = set()
        self.transforms: str | None = None
        self.loss_modules: dict[str, str] | None = None
        self._depth = depth
        self._history: LossHistory | None = None
        self.selection = Selection.everything(instances)
        self.left_out = torch.zeros(instances, dtype=torch.bool)
        self.epochs = 0
        self.begun = 0
        self.excluded = 0
        self.mastered = 0

    @property
    def history(self) -> LossHistory:
        """The loss history; empty until the number of terms is known."""
        if self._history is not None:
            joined = len(self.names) - self._history.terms
            if joined:
                self._history.add_terms(joined)
            return self._history
        history = LossHistory(self.instances, len(self.names), self._depth)
        if self.names:
            self._history = history
        return history

    def note_terms(self, present: set[str]) -> tuple[list[str], list[str]]:
        """Ignore the jump of a term that left or returned in all decisions.

        Args:
            present (set of str): Terms that the epoch's batches had.

        Returns:
            tuple: Names of the terms that left, and of those that returned.
        """
        # An epoch whose losses were not captured says nothing about terms.
        absent = set(self.names) - present if present else self.absent
        gone, back = sorted(absent - self.absent), sorted(self.absent - absent)
        if gone or back:
            columns = [self.names.index(name) for name in (*gone, *back)]
            self.history.restart_terms(columns)
        self.absent = absent
        return gone, back

    def note_switch(self) -> tuple[int, int]:
        """Ignore the jump of a switched pipeline or loss in all decisions.

        Returns:
            tuple: Number of observed images, and of those among them whose
            jump counts, because their observations hold another one.
        """
        history = self.history
        counted = history.restart_level()
        return int((history.count > 0).sum()), int(counted.sum())

    def count_epoch(self, left_out: Tensor) -> dict[str, Any]:
        """Count the epoch just trained; return its record entries.

        Args:
            left_out (Tensor): bool (N,), the instances not trained.
        """
        before, self.left_out = self.left_out, left_out
        excluded = int(left_out.sum())
        self.epochs += 1
        self.excluded += excluded
        return {
            'epoch': self.epochs,
            'instances': self.instances,
            'excluded': excluded,
            'newly_excluded': int((left_out & ~before).sum()),
            'reincluded': int((before & ~left_out).sum()),
            'saved': self.excluded / (self.instances * self.epochs),
        }

    def state_dict(self) -> dict[str, Any]:
        """Tensors, numbers and strings only, for ``weights_only`` loading."""
        return {
            'names': list(self.names),
            'absent': sorted(self.absent),
            'transforms': self.transforms,
            'loss_modules': self.loss_modules,
            'history': self.history.state_dict(),
            'selection': self.selection.active,
            'weight': self.selection.weight,
            'left_out': self.left_out,
            'epochs': self.epochs,
            'begun': self.begun,
            'excluded': self.excluded,
            'mastered': self.mastered,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore the state of a checkpoint, see :func:`as_of_today`.

        Raises:
            ConfigError: The state has another number of instances or another
                depth.
        """
        self.names.extend(state['names'])
        self.absent = set(state['absent'])
        self.transforms = state['transforms']
        self.loss_modules = state['loss_modules']
        try:
            self.history.load_state_dict(state['history'])
        except ValueError as error:
            raise ConfigError(
                f'cannot resume: {error}; resume with the dataset, order '
                'and window of the checkpoint, or start over with load_from'
            ) from error
        self.selection = Selection(state['selection'].bool(), state['weight'])
        self.left_out = state['left_out'].bool()
        self.epochs = state['epochs']
        self.begun = state['begun'] or 0
        self.excluded = state['excluded']
        self.mastered = state['mastered'] or 0
