"""How a training stands, in the words of a log line."""

from mmengine.runner import Runner

_TIMES = ('val/time', 'val/data_time')


def how_it_stands(runner: Runner) -> str:
    """The newest training losses, and the metrics of the last validation.

    Args:
        runner (Runner): Whose message hub to ask.

    Returns:
        str: As ``'; the training loss is 2.1, accuracy/top1 is 18.2'``, empty
        where nothing is known.
    """
    known = []
    for name, values in runner.message_hub.log_scalars.items():
        if name == 'train/loss':
            known.append(f'the training loss is {values.mean(10):.4g}')
        elif name.startswith('val/') and name not in _TIMES:
            metric = name.removeprefix('val/')
            known.append(f'{metric} is {values.current():.4g}')
    return f'; {", ".join(known)}' if known else ''
