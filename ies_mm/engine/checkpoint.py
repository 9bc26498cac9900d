"""What a selection hook puts into a checkpoint, and takes from one."""

from typing import Any

from ies_mm.errors import ConfigError

KEY = 'ies'


def save(hook: Any, checkpoint: dict[str, Any]) -> None:
    """Put the hook's state into a checkpoint.

    Args:
        hook (SelectionHook): In the middle of a training.
        checkpoint (dict): MMEngine's; tensors, numbers, strings and None are
            added, which ``torch.load(weights_only=True)`` takes.
    """
    # An epoch-based loop saves between epochs, where nothing is unfinished.
    unfinished = not hook.pace.loop_ends_epochs
    checkpoint[KEY] = {
        **_origin(hook),
        **hook.state.state_dict(),
        **hook.pace.state_dict(),
        'method_seed': hook.seed,
        'of_method': hook.method_state(),
        'observed': hook.observed.state_dict() if unfinished else {},
    }


def load(hook: Any, loaded: dict[str, Any]) -> None:
    """Go on from what :func:`save` put into a checkpoint.

    Args:
        hook (SelectionHook): At the start of a training.
        loaded (dict): ``checkpoint[KEY]``.

    Raises:
        ConfigError: It is of another method, data set or kind of loop.
    """
    for key, found in _origin(hook).items():
        if loaded[key] != found:
            raise ConfigError(
                f'cannot resume: the checkpoint is of another {key} '
                f'({loaded[key]}, here {found}); resume with the same '
                'config, or start anew with load_from'
            )
    hook.state.load_state_dict(loaded)
    hook.pace.load_state_dict(loaded)
    # MMEngine draws another one where the config has none.
    hook.seed = loaded['method_seed']
    hook.load_method_state(loaded['of_method'])
    hook.sampler.set_selection(hook.state.selection)
    hook.observed.load_state_dict(loaded['observed'])


def _origin(hook: Any) -> dict[str, str]:
    """What a checkpoint and a run that goes on from it must share."""
    loop = 'epochs' if hook.pace.loop_ends_epochs else 'iterations'
    return {
        'method': hook.method,
        'dataset': hook.instances.fingerprint(),
        'loop': f'a training loop that counts {loop}',
    }
