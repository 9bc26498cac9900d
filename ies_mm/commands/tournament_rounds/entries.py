"""Methods and controls, as arguments of ``ies-mm train``."""

from dataclasses import dataclass

HOOK = 'default_hooks.ies'

INFOBATCH_SAVES = 0.47
"""About what InfoBatch saves at a ratio of 1 in 20 epochs: it keeps the images
above the mean loss, and all images while annealing."""


@dataclass(frozen=True)
class Entry:
    """A method or a control.

    Attributes:
        arguments (tuple): Arguments of ``ies-mm train``.
        options (tuple): Values of its ``--cfg-options``. In both,
            :func:`filled` fills in ``{saved}``, ``{rest}`` and ``{ratio}``.
    """

    arguments: tuple[str, ...] = ()
    options: tuple[str, ...] = ()


def _budget(name: str, argument: str, *more: str) -> Entry:
    """A method whose budget is given as a dict."""
    place = f'{HOOK}.{argument}'
    dict_of_it = (f'{place}.type=Budget', f'{place}.saved={{saved}}')
    return Entry(('--method', name), (*dict_of_it, *more))


def _saving(name: str, *more: str) -> Entry:
    """A method that takes its share as ``saved``."""
    return Entry(('--method', name), (f'{HOOK}.saved={{saved}}', *more))


ENTRIES = {
    'plain': Entry(),
    'short': Entry(('--length', '{rest}')),
    'random': _saving('random_removal'),
    'random_even': Entry(
        ('--method', 'random_removal'),
        (
            f'{HOOK}._delete_=True', f'{HOOK}.type=RandomRemovalHook',
            f'{HOOK}.begin=6', f'{HOOK}.ratio.type=Budget',
            f'{HOOK}.ratio.saved={{saved}}', f'{HOOK}.ratio.course=even',
        ),
    ),
    'random_annealed': _saving('random_removal', f'{HOOK}.anneal=0.05'),
    'random_static': _saving('random_removal', f'{HOOK}.static=True'),
    'random_passes': _saving('random_passes'),
    'ies': _saving('ies'),
    'ies_scored': _budget(
        'ies_spaced', 'delta', f'{HOOK}.refresh_interval=1'
    ),
    'ies_by_class': _budget(
        'ies_spaced', 'delta', f'{HOOK}.delta.by_class=True'
    ),
    'ies_mean': _budget(
        'ies_spaced', 'delta', f'{HOOK}.order=0', f'{HOOK}.window=5'
    ),
    'soft_ies': _saving('soft_ies'),
    'soft_ies_unweighted': _saving('soft_ies', f'{HOOK}.weighted=False'),
    'soft_ies_passes': _saving('soft_ies_passes'),
    'infobatch': Entry(
        ('--method', 'infobatch'), (f'{HOOK}.ratio={{ratio}}',)
    ),
    'batch_loss_score': Entry(
        ('--method', 'batch_loss_score'), (f'{HOOK}.ratio={{ratio}}',)
    ),
    'orderdp': _saving('orderdp'),
    'progressive_dropout': _budget(
        'ies_spaced', 'delta', f'{HOOK}.order=0', f'{HOOK}.window=1',
        f'{HOOK}.refresh_interval=1', f'{HOOK}.anneal=0.05',
    ),
}  # fmt: skip


def filled(
    entry: Entry, saved: float, length: float = 1
) -> tuple[list[str], list[str]]:
    """Arguments and options with which an entry saves a share.

    Args:
        entry (Entry): The method or control.
        saved (float): The share.
        length (float): Length of the full training, as a share of the
            config's. Defaults to 1.

    Returns:
        tuple: Arguments of ``ies-mm train``, values of ``--cfg-options``.
    """
    values = dict(
        saved=saved,
        rest=round(length * (1 - saved), 6),
        ratio=round(min(saved / INFOBATCH_SAVES, 0.95), 4),
    )
    arguments = [part.format(**values) for part in entry.arguments]
    if length != 1 and '--length' not in arguments:
        arguments += ['--length', f'{length:g}']
    return arguments, [part.format(**values) for part in entry.options]
