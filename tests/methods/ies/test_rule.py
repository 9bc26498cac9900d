"""Decisions of the rule alone, epoch by epoch, without a training."""

from typing import Any

import numpy as np
import torch

from ies_mm.core import LossHistory, Standing
from ies_mm.methods.ies.rule import IES

INSTANCES = 20
EPOCHS = 20
IDS = torch.arange(INSTANCES)


def ies(**arguments: Any) -> IES:
    rule = IES(order=0, window=1, refresh_interval=1, **arguments)
    rule.begin_training(INSTANCES, 0)
    return rule


def test_a_term_that_joins_is_judged_in_its_own_unit() -> None:
    """Against NumPy: the largest of the terms over their first means."""
    budget = dict(type='Budget', saved=0.25, course='even')
    rule = ies(delta=budget, terms='all')
    history = LossHistory(INSTANCES, 1, rule.depth)
    draw = np.random.default_rng(0)
    first = draw.uniform(1, 9, (INSTANCES, 1)).astype(np.float32)
    joined = 1e-3 * draw.uniform(1, 9, (INSTANCES, 1)).astype(np.float32)
    history.observe(IDS, torch.from_numpy(first))
    rule.update(IDS, torch.from_numpy(first), Standing(INSTANCES, 1, EPOCHS))
    history.add_terms(1)
    both = np.concatenate([first, joined], axis=1)
    for epoch in (2, 3):
        standing = Standing(INSTANCES, epoch, EPOCHS)
        history.observe(IDS, torch.from_numpy(both))
        rule.update(IDS, torch.from_numpy(both), standing)
    decision = rule.decide(history, ['a', 'b'], standing)
    pruned = decision.selection.excluded.tolist()
    in_units = (both / both.mean(axis=0, dtype=np.float64)).max(axis=1)
    assert len(pruned) > 3
    assert pruned == sorted(np.argsort(in_units)[: len(pruned)].tolist())


def test_what_a_dry_run_would_have_pruned_was_trained() -> None:
    """Switched off by a resume, the budget still saves its share."""
    saved, excluded = 0.3, 0
    history = LossHistory(INSTANCES, 1, 1)
    rule = ies(saved=saved, dry_run=True)
    draw = torch.Generator().manual_seed(0)
    for epoch in range(1, EPOCHS + 1):
        losses = torch.rand(INSTANCES, 1, generator=draw)
        standing = Standing(INSTANCES, epoch, EPOCHS, excluded)
        history.observe(IDS, losses)
        rule.update(IDS, losses, standing)
        if epoch == EPOCHS // 2:
            dry, rule = rule, ies(saved=saved)
            rule.load_state_dict(dry.state_dict())
        out = rule.decide(history, ['a'], standing).selection.excluded
        excluded += len(out) if epoch < EPOCHS else 0
    assert abs(excluded / (INSTANCES * EPOCHS) - saved) < 0.02
