"""Compare captured losses on two devices, for models without randomness.

Call ``python -m gpu_checks.agree DEVICE JSON`` in tools/. It also checks that
the capture does not change the step's losses, and that shares sum to them.
"""

import copy
import json
import sys
from pathlib import Path
from typing import Any

import torch

from gpu_checks.models import SHIPPED, batch, build
from ies_mm.losses import capture_per_image_losses

IMAGES, SIZE = 3, 256
NEAR = 5e-3


def main() -> None:
    """Check all models, one after the other."""
    device, path = sys.argv[1], Path(sys.argv[2])
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cuda.matmul.allow_tf32 = False
    found = {}
    for name in SHIPPED:
        try:
            found[name] = agreement(name, device)
        except Exception as error:  # the other models go on
            why = f'{type(error).__name__}: {str(error)[:200]}'
            found[name] = dict(why=why)
        path.write_text(json.dumps(found, indent=1))


def agreement(name: str, device: str) -> dict[str, Any]:
    """Compare the two devices; ``why`` says what is too far apart."""
    shipped = SHIPPED[name]
    size = shipped.size if shipped.library == 'mmpretrain' else SIZE
    torch.manual_seed(0)
    model = build(shipped)
    _draw_nothing(model)
    data = batch(shipped, IMAGES, size)
    here = _captured(model, data)
    there = _captured(model.to(device), data)
    apart = {
        term: _apart(there['losses'][term], here['losses'][term])
        for term in here['losses']
    }
    problems = [f'{t} {v:.1e} apart' for t, v in apart.items() if v > NEAR]
    problems += [f'{t} changed' for t in there['changed']]
    problems += [f'shares of {t} off' for t in there['unequal']]
    return dict(why='; '.join(problems), apart=apart)


def _captured(model: Any, data: Any) -> dict[str, Any]:
    ready = model.data_preprocessor(copy.deepcopy(data), True)
    torch.manual_seed(1)
    plain = model(**copy.deepcopy(ready), mode='loss')
    torch.manual_seed(1)
    with capture_per_image_losses(model, shares=True) as captured:
        losses = model(**copy.deepcopy(ready), mode='loss')
    first, second = (_flat(value) for value in (plain, losses))
    shares = {t: float(v.sum()) for t, v in captured.shares.items()}
    return dict(
        losses={t: v.detach().cpu() for t, v in captured.losses.items()},
        changed=[t for t in first if not torch.equal(first[t], second[t])],
        unequal=[
            t
            for t, share in shares.items()
            if t in second
            and abs(share - float(second[t]))
            > 1e-3 * (1e-3 + abs(float(second[t])))
        ],
    )


def _flat(losses: dict[str, Any]) -> dict[str, torch.Tensor]:
    """Each term's value, as ``parse_losses`` sums it."""
    return {
        term: sum(v.mean() for v in value)
        if isinstance(value, list | tuple)
        else value.mean()
        for term, value in losses.items()
    }


def _apart(mine: torch.Tensor, theirs: torch.Tensor) -> float:
    size = theirs.abs().max().clamp_min(1e-3)
    return float((mine - theirs).abs().max() / size)


def _draw_nothing(model: Any) -> None:
    for module in model.modules():
        if isinstance(module, torch.nn.modules.dropout._DropoutNd):
            module.p = 0.0
        if hasattr(module, 'drop_prob'):
            module.drop_prob = 0.0
        for key in ('sampler', 'bbox_sampler'):
            sampler: Any = getattr(module, key, None)
            if hasattr(sampler, 'pos_fraction'):
                sampler.num, sampler.pos_fraction = 10**6, 1.0


if __name__ == '__main__':
    main()
