"""Label sets: ids of labels and labels of ids, equality, JSON."""

from __future__ import annotations

import pytest

from synth.common.errors import UsageError
from synth.common.labels import LabelSet

BOTH = LabelSet((("digit", ("0", "1")), ("speaker", ("ann", "bob", "cid"))))


def test_a_label_set_maps_keys_to_values_in_their_order() -> None:
    assert dict(BOTH) == {"digit": ("0", "1"), "speaker": ("ann", "bob", "cid")}
    assert list(BOTH) == ["digit", "speaker"] and len(BOTH) == 2 and "digit" in BOTH and "word" not in BOTH
    assert (
        BOTH != LabelSet(BOTH.pairs[::-1]) and BOTH == LabelSet(BOTH.pairs) and hash(BOTH) == hash(LabelSet(BOTH.pairs))
    )
    assert not LabelSet() and LabelSet() == LabelSet(())


def test_ids_count_from_one_and_zero_is_none() -> None:
    assert BOTH.ids({}) == (0, 0) and BOTH.ids({"speaker": "cid", "digit": "0"}) == (1, 3)
    assert BOTH.names((0, 0)) == {} and BOTH.names((1, 3)) == {"digit": "0", "speaker": "cid"}
    assert LabelSet().ids({}) == () and LabelSet().names(()) == {}
    with pytest.raises(ValueError):
        BOTH.names((1,))


def test_unicode_forms_of_a_value_are_one_value() -> None:
    for known, asked in (("caf\u00e9", "cafe\u0301"), ("cafe\u0301", "caf\u00e9")):
        assert LabelSet((("word", ("tea", known)),)).ids({"word": asked}) == (2,)
    both = LabelSet((("word", ("caf\u00e9", "cafe\u0301")),))  # of a checkpoint that was trained with two
    assert both.ids({"word": "caf\u00e9"}) == (1,) and both.ids({"word": "cafe\u0301"}) == (2,)


@pytest.mark.parametrize(
    ("known", "labels", "message"),
    [
        (BOTH, {"word": "x"}, "label key 'word' is not known; known keys: digit, speaker"),
        (BOTH, {"digit": "7"}, "label digit=7 is not known; known values: 0, 1"),
        (LabelSet(), {"digit": "7"}, "known keys: none: this checkpoint was trained without labels"),
    ],
)
def test_unknown_labels_are_refused(known: LabelSet, labels: dict[str, str], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        known.ids(labels)


def test_json_is_a_list_of_keys_with_their_values() -> None:
    assert BOTH.to_json() == [["digit", ["0", "1"]], ["speaker", ["ann", "bob", "cid"]]]
    assert LabelSet.from_json(BOTH.to_json()) == BOTH and LabelSet.from_json([["year", [1984]]])["year"] == ("1984",)
    for data in (None, 7, [["digit"]], [["digit", 7]]):
        with pytest.raises((TypeError, ValueError)):
            LabelSet.from_json(data)


@pytest.mark.parametrize(
    ("pairs", "message"),
    [
        ([("a", ("x",)), ("a", ("y",))], "stands twice"),
        ([("a", ("x", "x"))], "label a: has a value twice"),
        ([("a", ())], "label a: must have 1 to 4096 values"),
        ([(str(key), ("x",)) for key in range(17)], "17 label keys: at most 16"),
    ],
)
def test_sets_that_no_network_can_have_are_refused(pairs: list[tuple[str, tuple[str, ...]]], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        LabelSet(tuple(pairs)).check()
