"""Runners that neither wait nor produce output that no test reads."""

import functools
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest
from mmengine.config import utils as config_utils
from mmengine.dataset import base_dataset
from mmengine.runner import loops, runner
from mmengine.utils.dl_utils import collect_env
from torch.utils.data import _utils
from yapf.yapflib import yapf_api


@contextmanager
def quick_runners() -> Iterator[None]:
    """Skip slow parts of a run that have no effect.

    MMEngine formats each config several times with YAPF, reads all model
    indices of a library for each base in it, collects garbage for every
    dataset, and asks the compiler and the driver for their versions. An
    iteration-based loop sleeps for two seconds after each pass over the data.
    When an iterator with workers is garbage-collected, the workers are not
    notified, and PyTorch waits for five seconds before it ends each of them.

    Runners that are built within a second would share their names and folders.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(yapf_api, 'FormatCode', lambda text, **_: (text, True))
        read_once = functools.cache(config_utils.load)
        patch.setattr(config_utils, 'load', read_once)
        patch.setattr(base_dataset, 'gc', SimpleNamespace(collect=int))
        patch.setattr(runner, 'collect_env', functools.cache(collect_env))
        patch.setattr(runner, 'time', _Clock())
        patch.setattr(loops, 'time', SimpleNamespace(sleep=lambda _: None))
        patch.setattr(_utils, 'MP_STATUS_CHECK_INTERVAL', 0.2)
        yield


class _Clock:
    """The module ``time``, but no two calls of ``time`` give one second."""

    def __init__(self) -> None:
        self.last = 0.0

    def __getattr__(self, name: str) -> Any:
        return getattr(time, name)

    def time(self) -> float:
        self.last = max(time.time(), self.last + 1)
        return self.last
