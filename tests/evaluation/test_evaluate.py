"""Which files an evaluation makes, and which it shows."""

from __future__ import annotations

import pytest

from synth.common.errors import UsageError
from synth.common.labels import LabelSet
from synth.evaluation import evaluate

DIGITS = LabelSet((("digit", tuple("0123456789")), ("speaker", ("ann", "bob", "cid"))))


def test_every_combination_has_its_files_and_every_file_its_seed() -> None:
    jobs = evaluate.plan(DIGITS, 4, 100)
    assert len(jobs) == 120 and [job.seed for job in jobs] == list(range(100, 220))
    assert [jobs.count(job) for job in jobs] == [1] * 120
    counts = {rows: sum(job.label_ids == rows for job in jobs) for rows in {job.label_ids for job in jobs}}
    assert len(counts) == 30 and set(counts.values()) == {4}
    assert [job.label_ids for job in evaluate.plan(LabelSet(), 3, 0)] == [()] * 3


def test_many_combinations_are_taken_key_by_key() -> None:
    labels = LabelSet((("bird", tuple(map(str, range(40)))), ("place", tuple(map(str, range(5))))))
    jobs = evaluate.plan(labels, 2, 0)
    assert len(jobs) == 90 and all(sum(row > 0 for row in job.label_ids) == 1 for job in jobs)


def test_the_last_seed_and_the_greatest_number() -> None:
    assert evaluate.plan(LabelSet(), 2, 2**32 - 2)[-1].seed == 2**32 - 1
    with pytest.raises(UsageError, match="--seed 4294967294 with 3 files"):
        evaluate.plan(LabelSet(), 3, 2**32 - 2)
    with pytest.raises(UsageError, match="-n 3334: 3334 files for each of 30 are 100020; at most 100000"):
        evaluate.plan(DIGITS, 3334, 0)


@pytest.mark.parametrize("count", [1, 2, 10])
def test_every_value_of_every_key_is_shown_twice(count: int) -> None:
    jobs = evaluate.plan(DIGITS, count, 0)
    shown = [jobs[place] for place in evaluate._shown(DIGITS, jobs, count)]
    for key, values in enumerate(DIGITS.values()):
        for row in range(1, len(values) + 1):
            assert len({job.label_ids for job in shown if job.label_ids[key] == row}) >= 2
    assert len(shown) <= 2 * 13
