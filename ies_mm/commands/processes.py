"""The process group of a distributed run."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch.distributed
from mmengine.config import Config
from mmengine.device import get_device

from ies_mm.errors import ConfigError

STARTED_WITH = dict(slurm='SLURM_PROCID', mpi='OMPI_COMM_WORLD_LOCAL_RANK')
"""A variable that each launcher sets."""


@contextmanager
def processes(cfg: Config) -> Iterator[None]:
    """Check the launcher; start the process group where MMEngine cannot.

    MMEngine's launcher for torchrun requires a GPU. On a machine without one,
    this starts the group with gloo, has the model wrapped for the CPU, and
    destroys the group once all processes are done: a process that exits while
    others still communicate with it makes them fail.

    Raises:
        ConfigError: The processes were not started by the launcher.
    """
    by_torchrun = cfg.launcher == 'pytorch'
    sets = STARTED_WITH.get(cfg.launcher)
    if sets and sets not in os.environ:
        raise ConfigError(
            f'--launcher {cfg.launcher}: {sets} is not set, so this process '
            f'was not started by {cfg.launcher}'
        )
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
    # Not in a finally: after an error in one process, a barrier would hang.
    torch.distributed.barrier()
    torch.distributed.destroy_process_group()


def wrapper_on_cpu(cfg: Config) -> dict:
    """MMEngine's wrapper with the same settings except the device."""
    wrapper = cfg.get('model_wrapper_cfg') or dict(
        type='MMDistributedDataParallel',
        broadcast_buffers=False,
        find_unused_parameters=cfg.get('find_unused_parameters', False),
    )
    # MMEngine would add a GPU's number, which DDP refuses on a CPU.
    return dict(wrapper) | dict(device_ids=None)
