"""How the processes of a distributed run find each other."""

import os

import torch.distributed
from mmengine.config import Config
from mmengine.device import get_device

from ies_mm.errors import ConfigError


def prepare_processes(cfg: Config) -> None:
    """Check the launcher, and start the process group where MMEngine cannot.

    Its launcher for torchrun asks for a GPU. On a machine without one the
    group is started here, with gloo, and the model wrapped for the CPU.

    Raises:
        ConfigError: The processes were not started by torchrun.
    """
    if cfg.launcher != 'pytorch':
        return
    if 'RANK' not in os.environ:
        raise ConfigError(
            '--launcher pytorch: this process was not started by torchrun; '
            'call torchrun --nproc_per_node=N tools/train.py ...'
        )
    if get_device() == 'cpu':
        torch.distributed.init_process_group('gloo')
        cfg.model_wrapper_cfg = wrapper_on_cpu(cfg)


def wrapper_on_cpu(cfg: Config) -> dict:
    """MMEngine's wrapper with the same settings, but for the device."""
    wrapper = cfg.get('model_wrapper_cfg') or dict(
        type='MMDistributedDataParallel',
        broadcast_buffers=False,
        find_unused_parameters=cfg.get('find_unused_parameters', False),
    )
    return dict(wrapper) | dict(device_ids=None)
