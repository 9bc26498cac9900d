"""Random Remove and its variants, without MMEngine."""

import math
from itertools import pairwise
from typing import Any

import pytest
import torch

from ies_mm.core import LossHistory, Selection, Standing
from ies_mm.engine import RandomRemovalHook
from ies_mm.methods.orderdp.rule import OrderDP
from ies_mm.methods.random_removal.rule import RandomRemoval

EPOCHS = 20


def begun(instances: int, seed: int = 0, **arguments: Any) -> RandomRemoval:
    method = RandomRemoval(**arguments)
    method.strata = torch.arange(instances) % 3
    method.begin_training(instances, seed)
    return method


def selections(method: RandomRemoval) -> list[Selection]:
    """The selection of each epoch."""
    standing = Standing(method.instances, 0, EPOCHS, 0, 0.1)
    found = [method.first_selection(standing)]
    excluded = 0
    history = LossHistory(method.instances, 1, 1)
    for epoch in range(1, EPOCHS):
        excluded += len(found[-1].excluded)
        standing = Standing(method.instances, epoch, EPOCHS, excluded, 0.1)
        found.append(method.decide(history, ['loss'], standing).selection)
    return found


def left_out(method: RandomRemoval) -> list[set[int]]:
    return [set(s.excluded.tolist()) for s in selections(method)]


@pytest.mark.parametrize('seed', range(3))
def test_a_static_subset_is_drawn_once(seed: int) -> None:
    first, *others = left_out(begun(100, seed, ratio=0.3, static=True))
    assert len(first) == 30
    assert all(other == first for other in others)


def test_a_static_subset_on_a_budget_grows() -> None:
    found = left_out(begun(100, saved=0.3, begin=6, static=True))
    assert not any(found[:6])
    for earlier, later in pairwise(found):
        assert len(earlier - later) <= 1  # rounded at random
    assert sum(map(len, found)) == pytest.approx(0.3 * 100 * EPOCHS, abs=3)


@pytest.mark.parametrize('course', ['rising', 'even'])
@pytest.mark.parametrize('instances', [1, 2, 3, 7, 20])
def test_a_small_static_subset_shrinks_by_rounding_alone(
    course: str, instances: int
) -> None:
    for saved in (0.1, 0.25, 0.4):
        ratio = dict(type='Budget', saved=saved, course=course)
        found = left_out(begun(instances, ratio=ratio, static=True))
        for earlier, later in pairwise(found):
            assert len(earlier - later) <= 1


@pytest.mark.parametrize('course', ['oscillating', 'annealed'])
def test_a_static_subset_takes_no_course_that_goes_back(course: str) -> None:
    ratio = dict(type='Budget', saved=0.2, course=course)
    for kind in (RandomRemoval, RandomRemovalHook):
        with pytest.raises(ValueError, match=f'course={course!r} goes back'):
            kind(ratio, static=True)


@pytest.mark.parametrize('kind', [RandomRemoval, OrderDP])
@pytest.mark.parametrize('begin', [0, 1, 18, 19, 20, 21, 30])
def test_a_run_that_prunes_nothing_is_named(kind: Any, begin: int) -> None:
    given = dict(begin=begin) | (dict(ratio=0.3) if kind != OrderDP else {})
    method = kind(**given)
    method.begin_training(50, 0)
    prunes = any(len(selection.excluded) for selection in selections(method))
    said = method.shortfall(Standing(50, 0, EPOCHS))
    assert bool(said) != prunes
    if said:
        assert f'anything in 20 epochs with begin={begin};' in said


@pytest.mark.parametrize('anneal', [0.0, 0.5, 0.9, 0.95, 1.0])
def test_so_is_one_that_anneals_all_along(anneal: float) -> None:
    method = begun(50, ratio=0.3, begin=2, anneal=anneal)
    said = method.shortfall(Standing(50, 0, EPOCHS))
    assert bool(said) != any(left_out(method))
    assert not begun(50, ratio=0.0, begin=99).shortfall(Standing(50, 0, 20))


@pytest.mark.parametrize('saved', [0.1, 0.3, 0.5])
def test_every_class_loses_the_same_part(saved: float) -> None:
    """Within one image; classes of 50, 20 and 7 images."""
    even = dict(type='Budget', saved=saved, course='even', by_class=True)
    method = begun(0, ratio=even)
    method.strata = torch.tensor([0] * 50 + [1] * 20 + [-1] * 7)
    method.begin_training(77, 0)
    for dropped in left_out(method):
        labels = method.strata[sorted(dropped)]
        for label, images in ((0, 50), (1, 20), (-1, 7)):
            lost = int((labels == label).sum())
            assert abs(lost - saved * images) < 1.5


def test_without_classes_a_class_may_lose_more() -> None:
    method = begun(60, ratio=0.5)
    lost = [
        int((method.strata[sorted(dropped)] == 0).sum())
        for dropped in left_out(method)
    ]
    assert max(lost) - min(lost) > 2


def test_rescaled_the_epochs_weigh_the_same() -> None:
    for selection in selections(begun(90, ratio=0.4, rescale=True)):
        weights = selection.weight[selection.active]
        assert float(weights.sum()) == pytest.approx(90, rel=1e-5)
        assert len(weights.unique()) == 1


def test_the_last_epochs_train_on_everything() -> None:
    found = left_out(begun(50, ratio=0.4, anneal=0.125))
    last = math.floor(EPOCHS * (1 - 0.125))
    assert all(found[:last])
    assert not any(found[last:])


@pytest.mark.parametrize('course', ['even', 'oscillating', 'annealed'])
def test_a_budget_may_take_another_course(course: str) -> None:
    ratio = dict(type='Budget', saved=0.25, course=course)
    found = [len(d) for d in left_out(begun(1000, ratio=ratio, begin=6))]
    assert sum(found) == pytest.approx(0.25 * 1000 * EPOCHS, abs=2)
    if course == 'oscillating':
        assert found[7::2] == [pytest.approx(5000 / 7, abs=1)] * 7
        assert not any(found[6::2])


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (dict(), 'found neither of ratio and saved'),
        (dict(ratio=0.2, saved=0.2), 'found both of ratio and saved'),
        (
            dict(ratio=dict(type='Budget', save=0.2)),
            'ratio: Budget has no arg',
        ),
        (dict(saved=0.2, static=1), 'static=1: give True or False'),
        (dict(saved=0.2, replacement=0), 'replacement=0: give True or False'),
    ],
)
def test_arguments_that_do_not_fit(arguments: dict, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        RandomRemoval(**arguments)


@pytest.mark.parametrize('seed', range(3))
@pytest.mark.parametrize(
    'ratio', [0.3, 0.55, 0.9, dict(type='Budget', saved=0.4)]
)
def test_without_replacement_all_are_trained_equally_often(
    seed: int, ratio: Any
) -> None:
    """As many in each epoch as with it, and none a second time too soon."""
    found = selections(begun(37, seed, ratio=ratio, replacement=False))
    anew = selections(begun(37, seed, ratio=ratio))
    times = torch.zeros(37)
    for epoch, (selection, other) in enumerate(zip(found, anew, strict=True)):
        assert selection.active.sum() == other.active.sum(), epoch
        times += selection.active
        assert times.max() - times.min() <= 1, epoch
    assert len({tuple(s.active.tolist()) for s in found}) > EPOCHS // 2


def test_without_replacement_each_class_has_passes_of_its_own() -> None:
    ratio = dict(type='Budget', saved=0.4, course='even', by_class=True)
    times = torch.zeros(60)
    method = begun(60, ratio=ratio, replacement=False)
    for selection in selections(method):
        times += selection.active
        for label in range(3):
            own = times[method.strata == label]
            assert own.max() - own.min() <= 1


def test_a_pass_begins_where_there_was_none() -> None:
    """A run that was begun with replacement goes on without it."""
    method = begun(10, ratio=0.5, replacement=False)
    method.load_state_dict(begun(10, ratio=0.5).state_dict())
    first, second, *_ = selections(method)
    assert not (first.active & second.active).any()


def test_with_replacement_some_are_trained_more_often() -> None:
    times = sum(s.active.int() for s in selections(begun(37, ratio=0.5)))
    assert times.max() - times.min() > 1


def test_a_static_subset_has_no_passes() -> None:
    with pytest.raises(ValueError, match='static=True prunes the same'):
        RandomRemoval(saved=0.2, static=True, replacement=False)
