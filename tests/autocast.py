"""Mixed precision on a CPU."""

from typing import Any

import torch
from mmengine.optim import OptimWrapper
from mmengine.registry import OPTIM_WRAPPERS


@OPTIM_WRAPPERS.register_module()
class Bfloat16Wrapper(OptimWrapper):
    """The context of AmpOptimWrapper, which itself needs a GPU."""

    def optim_context(self, model: torch.nn.Module) -> Any:
        return torch.autocast('cpu', torch.bfloat16)
