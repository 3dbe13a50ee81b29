from __future__ import annotations

import numpy as np
import pytest

from gait import registry
from gait.data.samplers.common_sampler import CommonSampler
from gait.data.samplers.triplet_sampler import TripletSampler
from gait.data.sampling import keyed
from gait.errors import ConfigError

# Class 0 has 2 sequences, class 1 has 5, class 2 has 1, class 3 has 4.
LABELS = np.array([1, 0, 3, 1, 2, 3, 1, 0, 3, 1, 3, 1])


def test_triplet_draws_p_subjects_and_k_sequences_of_each() -> None:
    sampler = TripletSampler(subjects=3, sequences=4)
    bound = sampler.bind(LABELS)
    assert sampler.size == 12
    for position in range(50):
        drawn = bound.draw(keyed(0, position, 0))
        assert drawn.dtype == np.int64
        groups = LABELS[drawn].reshape(3, 4)
        assert (groups == groups[:, :1]).all()
        assert len(set(groups[:, 0])) == 3
        for group, label in zip(drawn.reshape(3, 4), groups[:, 0], strict=True):
            if (label == LABELS).sum() >= 4:
                assert len(set(group)) == 4


def test_triplet_reaches_every_sequence() -> None:
    bound = TripletSampler(subjects=2, sequences=2).bind(LABELS)
    drawn = np.concatenate([bound.draw(keyed(1, each, 0)) for each in range(200)])
    assert set(drawn) == set(range(len(LABELS)))
    subjects = np.bincount(LABELS[drawn])
    assert subjects.min() > 0.8 * subjects.max(), "subjects are drawn equally often"


def test_triplet_with_all_subjects() -> None:
    drawn = TripletSampler(subjects=4, sequences=1).bind(LABELS).draw(keyed(0, 0, 0))
    assert sorted(LABELS[drawn]) == [0, 1, 2, 3]


def test_triplet_with_too_few_subjects() -> None:
    sentence = r"sampler.subjects is 5, but the training set has 4 subjects; .*config/experiments"
    with pytest.raises(ConfigError, match=sentence):
        TripletSampler(subjects=5, sequences=2).bind(LABELS)


def test_common_draws_without_replacement_where_it_can() -> None:
    sampler = CommonSampler(batch=8)
    bound = sampler.bind(LABELS)
    assert sampler.size == 8
    drawn = np.stack([bound.draw(keyed(0, each, 0)) for each in range(300)])
    assert all(len(set(each)) == 8 for each in drawn)
    counts = np.bincount(drawn.ravel(), minlength=len(LABELS))
    assert counts.min() > 0.7 * counts.max(), "sequences are drawn equally often"

    larger = CommonSampler(batch=30).bind(LABELS).draw(keyed(0, 0, 0))
    assert len(larger) == 30
    assert set(larger) <= set(range(len(LABELS)))


@pytest.mark.parametrize(
    "sampler", [TripletSampler(subjects=3, sequences=2), CommonSampler(batch=6)]
)
def test_a_draw_depends_on_its_generator_only(sampler: TripletSampler | CommonSampler) -> None:
    first, second = sampler.bind(LABELS), sampler.bind(LABELS)
    later = [first.draw(keyed(7, each, 0)) for each in range(5)]
    np.testing.assert_array_equal(second.draw(keyed(7, 4, 0)), later[4])
    assert any((later[0] != each).any() for each in later[1:])


def test_the_registry_knows_the_parameters() -> None:
    assert registry.names("sampler") == ["BilateralSampler", "CommonSampler", "TripletSampler"]
    assert registry.parameters("sampler", "TripletSampler").required == {"subjects", "sequences"}
    assert registry.parameters("sampler", "CommonSampler").required == {"batch"}
