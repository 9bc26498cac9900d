"""Wording of log lines about the state of a training run."""

from mmengine.runner import Runner

from ies_mm.training.state.session import Session

_TIMES = ('val/time', 'val/data_time')


def how_it_stands(runner: Runner) -> str:
    """The newest training losses, and the metrics of the last validation.

    Args:
        runner (Runner): Its message hub is read.

    Returns:
        str: As ``'; the training loss is 2.1, accuracy/top1 is 18.2'``; empty
        if nothing is known.
    """
    known = []
    for name, values in runner.message_hub.log_scalars.items():
        if name == 'train/loss':
            known.append(f'the training loss is {values.mean(10):.4g}')
        elif name.startswith('val/') and name not in _TIMES:
            metric = name.removeprefix('val/')
            known.append(f'{metric} is {values.current():.4g}')
    return f'; {", ".join(known)}' if known else ''


def what_was_decided(session: Session) -> str:
    """The decision after an epoch.

    Args:
        session (Session): After that epoch and its selection.

    Returns:
        str: As ``'80 are mastered, the next epoch prunes 60 (20 kept to
        fill the last batch), '``.
    """
    state = session.state
    if state.epochs >= session.pace.max_epochs:
        return 'no epoch follows, '
    out = len(state.selection.excluded)
    held = session.method.held_back(session.standing())
    why = [
        f'{session.filled} kept to fill the last batch'
        if session.filled
        else '',
        _without_objects(session),
        held if out < state.mastered else '',
    ]
    because = ', '.join(filter(None, why))
    reasons = f' ({because})' if because else ''
    return (
        f'{state.mastered} are mastered, the next epoch prunes {out}'
        f'{reasons}, '
    )


def _without_objects(session: Session) -> str:
    """How many pruned images have no objects; empty if no image lacks them."""
    empty = session.instances.without_objects()
    out = session.state.selection.excluded
    if not len(out) or not empty.any():
        return ''
    return (
        f'{int(empty[out].sum())} of the {int(empty.sum())} images without '
        'objects'
    )
