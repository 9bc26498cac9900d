"""The progress of a run, and whether it has finished."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from ies_mm.errors import ConfigError
from ies_mm.report.reading.parts import Part
from ies_mm.report.reading.validation import Points, counts_iterations


@dataclass(frozen=True)
class Progress:
    """The progress of a run.

    Attributes:
        unit (str): ``epoch`` or ``iteration``, whichever the loop counts.
        done (int): Completed epochs or iterations.
        planned (int): Epochs or iterations that the config asks for.
        finished (bool): Whether the run has ended, as planned or early.
    """

    unit: str
    done: int
    planned: int
    finished: bool

    def __str__(self) -> str:
        return f'{self.done} of {self.planned} {self.unit}s'


def progress_of(
    part: Part,
    points: Points,
    records: Sequence[dict[str, Any]],
    ended: bool = False,
) -> Progress:
    """Determine the progress from the newest part of a run.

    Args:
        part (Part): The newest part.
        points (dict): Validations of all parts.
        records (sequence of dict): Records of its epochs, if a method selects
            images.
        ended (bool): Whether the records have an end. Defaults to False.

    Raises:
        ConfigError: The config does not say how long to train.
    """
    validated = {step for steps in points.values() for step in steps}
    if counts_iterations(part.config):
        found = _iterations(part, validated)
    else:
        found = _epochs(part, validated, records)
    return replace(found, finished=found.finished or ended)


def _iterations(part: Part, validated: set[int]) -> Progress:
    planned = int(part.config['train_cfg']['max_iters'])
    lines = part.training_lines
    logged = [line['iter'] for line in lines]
    done = max([*logged, *validated, part.log.saved_iteration])
    # Pruning makes the run end earlier; the log says when.
    end = part.log.announced or planned
    reached = end in validated if _validates(part) else done >= end
    finished = reached or part.log.stopped
    return Progress('iteration', done, planned, finished)


def _epochs(
    part: Part, validated: set[int], records: Sequence[dict[str, Any]]
) -> Progress:
    planned = (part.config.get('train_cfg') or {}).get('max_epochs')
    if planned is None:
        raise ConfigError(
            f'{part.folder.parent} is not a training run: train_cfg has '
            'neither max_epochs nor max_iters; leave it out'
        )
    planned = int(planned)
    # The epoch of a training line has only begun.
    begun = [line.get('epoch', 0) - 1 for line in part.training_lines]
    recorded = [record['epoch'] for record in records]
    done = max([*begun, *recorded, *validated, part.log.saved_epoch])
    # If MMEngine validates at all, it does so after the last epoch.
    if _validates(part):
        reached = planned in validated
    else:
        reached = part.log.saved_epoch >= planned
    return Progress('epoch', done, planned, reached or part.log.stopped)


def _validates(part: Part) -> bool:
    return part.config.get('val_cfg') is not None
