"""One observation per instance and epoch."""

import torch

from ies_mm.training.state.noted import Noted
from ies_mm.training.state.observations import Observations


def test_an_instance_seen_twice_has_the_mean() -> None:
    observed = Observations([])
    observed.add(torch.tensor([4, 1]), {'a': torch.tensor([1.0, 2.0])})
    observed.add(torch.tensor([1, 0]), {'a': torch.tensor([4.0, 8.0])})
    ids, losses, seen = observed.merge()
    assert seen.tolist() == [0, 1, 4]
    assert ids.tolist() == [0, 1, 4]
    assert losses[:, 0].tolist() == [8.0, 3.0, 1.0]


def test_a_nan_among_several_views_is_not_averaged_away() -> None:
    observed = Observations([])
    observed.add(torch.tensor([1]), {'a': torch.tensor([float('nan')])})
    observed.add(torch.tensor([1]), {'a': torch.tensor([4.0])})
    assert observed.merge()[1].isnan().all()


def test_nothing_seen_is_nothing_observed() -> None:
    ids, losses, seen = Observations([]).merge()
    assert len(ids) == len(seen) == 0
    assert losses.shape == (0, 0)


def test_a_checkpoint_s_part_and_the_rest_make_an_epoch() -> None:
    names = ['a']
    first, both = Observations(names), Observations(names)
    for observed in (first, both):
        observed.add(torch.tensor([2, 0]), {'a': torch.tensor([1.0, 2.0])})
    resumed = Observations(names)
    resumed.add_noted(Noted.of(first.noted().plain()[:3], names))
    for observed in (resumed, both):
        observed.add(torch.tensor([1]), {'a': torch.tensor([3.0])})
    for found, expected in zip(resumed.merge(), both.merge(), strict=True):
        assert torch.equal(found, expected)


def test_a_term_that_a_batch_lacks_is_zero_and_so_is_one_that_joins() -> None:
    names: list[str] = []
    observed = Observations(names)
    first = {'a': torch.tensor([1.0]), 'b': torch.tensor([2.0])}
    observed.add(torch.tensor([0]), first)
    observed.add(torch.tensor([1]), {'b': torch.tensor([5.0])})
    assert names == ['a', 'b']
    assert observed.merge()[1].tolist() == [[1, 2], [0, 5]]
    observed.add(torch.tensor([2]), {'c': torch.tensor([7.0])})
    assert names == ['a', 'b']
    assert observed.merge()[1].tolist() == [[1, 2, 0], [0, 5, 0], [0, 0, 7]]
    assert names == ['a', 'b', 'c']
    assert observed.present == {'a', 'b', 'c'}


def test_a_term_that_joined_in_one_process_alone_is_kept_with_its_name() -> (
    None
):
    """Its values in a checkpoint continue under the same term."""
    names = ['a']
    first = Observations(names)
    first.add(torch.tensor([0]), {'a': torch.tensor([1.0])})
    first.add(
        torch.tensor([1]), {'z': torch.tensor([2.0]), 'a': torch.tensor([3.0])}
    )
    resumed = Observations(['a'])
    resumed.add(torch.tensor([2]), {'a': torch.tensor([4.0])})
    resumed.add_noted(first.noted())
    ids, losses, _ = resumed.merge()
    assert resumed.names == ['a', 'z']
    assert dict(zip(ids.tolist(), losses.tolist(), strict=True)) == {
        0: [1, 0],
        1: [3, 2],
        2: [4, 0],
    }


def test_what_an_image_has_not_is_no_observation() -> None:
    """A missing term counts as zero; without any, it is not observed."""
    nan = float('nan')
    observed = Observations([])
    observed.add(
        torch.tensor([5, 6, 7]),
        {'a': torch.tensor([nan, nan, 1.0]), 'b': torch.tensor([nan, 2.0, 3])},
        {
            'a': torch.tensor([True, True, False]),
            'b': torch.tensor([True, False, False]),
        },
    )
    ids, losses, seen = observed.merge()
    assert seen.tolist() == [5, 6, 7]
    assert ids.tolist() == [6, 7]
    assert losses.tolist() == [[0, 2], [1, 3]]


def test_a_nan_that_is_no_lack_stays() -> None:
    observed = Observations([])
    observed.add(
        torch.tensor([1]),
        {'a': torch.tensor([float('nan')])},
        {'a': torch.tensor([False])},
    )
    assert observed.merge()[1].isnan().all()


def test_large_numbers_survive_half_precision_losses() -> None:
    """4001 is 4000 in float16: indices and losses never share a tensor."""
    ids = torch.tensor([4001, 4097, 65537, 1_279_999])
    observed = Observations([])
    observed.add(ids, {'a': torch.tensor([1.0, 2, 3, 4]).half()})
    found, losses, seen = observed.merge()
    assert found.tolist() == seen.tolist() == ids.tolist()
    assert losses[:, 0].tolist() == [1, 2, 3, 4]
