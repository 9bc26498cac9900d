"""How the processes of a distributed run find each other."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch.distributed
from mmengine.config import Config
from mmengine.device import get_device

from ies_mm.errors import ConfigError


@contextmanager
def processes(cfg: Config) -> Iterator[None]:
    """Check the launcher, and start the processes' group where MMEngine can't.

    Its launcher for torchrun asks for a GPU. On a machine without one the
    group is started here, with gloo, the model wrapped for the CPU, and the
    group ended when all are done: a process that ends before the others have
    let go of it makes them fail.

    Raises:
        ConfigError: The processes were not started by torchrun.
    """
    by_torchrun = cfg.launcher == 'pytorch'
    if by_torchrun and 'RANK' not in os.environ:
        raise ConfigError(
            '--launcher pytorch: this process was not started by torchrun; '
            'call torchrun --nproc_per_node=N -m ies_mm train ...'
        )
    if not by_torchrun or get_device() != 'cpu':
        yield
        return
    torch.distributed.init_process_group('gloo')
    cfg.model_wrapper_cfg = wrapper_on_cpu(cfg)
    yield
    torch.distributed.barrier()
    torch.distributed.destroy_process_group()


def wrapper_on_cpu(cfg: Config) -> dict:
    """MMEngine's wrapper with the same settings, but for the device."""
    wrapper = cfg.get('model_wrapper_cfg') or dict(
        type='MMDistributedDataParallel',
        broadcast_buffers=False,
        find_unused_parameters=cfg.get('find_unused_parameters', False),
    )
    return dict(wrapper) | dict(device_ids=None)
