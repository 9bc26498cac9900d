"""The groups that a method is compared with.

The controls are the plain training, a plain training shortened to the compute
of the method, and random pruning of as many images. A method that is not above
the second gains nothing over a shorter schedule; one that is not above the
third has not shown that its choice of images helps.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from ies_mm.report.comparing.figures import spread
from ies_mm.report.comparing.groups import Group, differing, other_settings
from ies_mm.report.reading.methods import LENGTH, PLAIN, RANDOM, SHORT
from ies_mm.report.values import is_number

AS_MUCH = 0.03
"""Saved shares this close count as the same compute."""

EXACT = 1e-6
"""Differences below this are errors of floating-point arithmetic."""

METHOD = 'default_hooks.ies.'
OF_LENGTH = (
    'train_cfg.',
    'param_scheduler',
    LENGTH,
    'length',  # its name before 0.3.0
    'max_epochs',
    'max_iters',
)
OF_LENGTH_IN_MODELS = ('initial_epoch', 'update_iter_interval', 'warmup_iters')
"""Settings outside hooks that ``--length`` changes."""


def saved_share(group: Group) -> float | None:
    """The share of a full training's compute that a group has saved.

    None if a run's is unknown.
    """
    trained = spread([run.compute for run in group.runs])
    return 1 - group.runs[0].length * trained.mean if trained else None


def controls_of(
    group: Group, groups: Sequence[Group]
) -> Iterator[tuple[str, list[Group]]]:
    """Yield the controls of each kind, the best match first.

    Args:
        group (Group): Runs of a method, or of another control.
        groups (sequence of Group): All groups of the comparison.
    """
    finished = [g for g in groups if g.finished and g is not group]
    plain = [g for g in finished if g.method == PLAIN]
    # A single plain group serves all, as it does for speed-ups.
    if len(plain) > 1:
        alike = [g for g in plain if _is_alike(group, g)]
        plain = _of_the_same_length(group, alike)
    # _is_alike ignores hooks, so prefer the group with the same other hooks.
    yield PLAIN, sorted(plain, key=lambda g: len(_other_hooks(group, g)))
    alike = [g for g in finished if _is_alike(group, g)]
    if not group.is_short:
        short = [g for g in alike if g.is_short]
        short = _of_the_same_length(group, short)
        yield SHORT, _of_the_same_compute(group, short)
    if not group.is_random_control:
        drawn = [g for g in alike if g.is_random_control]
        drawn = _of_the_same_length(group, drawn)
        # The same course first; the default before its variants.
        yield (
            RANDOM,
            sorted(
                _of_the_same_compute(group, drawn),
                key=lambda g: (_course(g) != _course(group), _variations(g)),
            ),
        )


def _is_alike(one: Group, two: Group) -> bool:
    """Whether they differ only in the method and the length."""
    return all(_is_of_length(key) for key in other_settings(one, two))


def _is_of_length(key: str) -> bool:
    last = key.rpartition('.')[2]
    return key.startswith(OF_LENGTH) or last in OF_LENGTH_IN_MODELS


def _of_the_same_length(group: Group, others: Sequence[Group]) -> list[Group]:
    """Those of a full training as long as the group's; all if there is none.

    ``--length`` notes the length of the full run; a run that was
    shortened by hand is another one.
    """
    same = [g for g in others if _full_length(g) == _full_length(group)]
    return same or list(others)


def _full_length(group: Group) -> float | None:
    """Epochs or iterations of the full training."""
    for unit in ('max_epochs', 'max_iters'):
        planned = group.settings.get(f'train_cfg.{unit}')
        if is_number(planned):
            return round(planned / group.runs[0].length, 3)
    return None


def _other_hooks(one: Group, two: Group) -> list[str]:
    """Differing settings of hooks other than the method's."""
    return [
        key
        for key in differing([one, two])
        if key.startswith(('default_hooks.', 'custom_hooks'))
        and not key.startswith(METHOD)
    ]


def _course(group: Group) -> dict[str, Any]:
    """The settings of its budget other than the share."""
    return {
        last: value
        for key, value in group.settings.items()
        if key.startswith(METHOD)
        and (last := key.rpartition('.')[2]) in ('course', 'cap', 'by_class')
    }


def _variations(group: Group) -> int:
    """Number of arguments beyond those that every run must give."""
    given = [key for key in group.settings if key.startswith(METHOD)]
    needed = ('type', 'begin', 'saved', 'ratio')
    return sum(key.rpartition('.')[2] not in needed for key in given)


def _of_the_same_compute(group: Group, others: Iterable[Group]) -> list[Group]:
    """The groups that saved about as much, the closest first."""
    saved = saved_share(group)
    shares = [(saved_share(other), other) for other in others]
    apart = [
        (abs(share - saved), other)
        for share, other in shares
        if share is not None and saved is not None
    ]
    apart.sort(key=lambda pair: pair[0])
    return [
        other
        for distance, other in apart
        if distance <= max(AS_MUCH, _rounding(other))
    ]


def _rounding(group: Group) -> float:
    """How far ``--length``, which rounds to epochs, may be off.

    Returns:
        float: Half an epoch as a share of the full training; 0 if it was not
        shortened.
    """
    epochs = full_epochs(group)
    return 0.5 / epochs + EXACT if group.is_short and epochs else 0.0


def full_epochs(group: Group) -> float | None:
    """Epochs of the comparison's full training; None if counted otherwise."""
    epochs = group.settings.get('train_cfg.max_epochs')
    return epochs / group.runs[0].length if is_number(epochs) else None
