"""Grids: every combination once, whatever the chunk."""

from hypothesis import given
from hypothesis import strategies as st

from outlay.search import chunks, divisors, size


@given(
    st.dictionaries(
        st.sampled_from("abcd"), st.lists(st.integers(0, 9), min_size=1, max_size=4, unique=True), min_size=1
    ),
    st.integers(1, 50),
)
def test_every_combination_comes_once(axes: dict[str, list[int]], chunk: int) -> None:
    seen = []
    for part in chunks(axes, chunk=chunk):
        lengths = {len(values) for values in part.values()}
        assert len(lengths) == 1
        assert max(lengths) <= chunk
        seen += list(zip(*(part[name].tolist() for name in axes), strict=True))
    assert len(seen) == len(set(seen)) == size(axes)


@given(st.integers(1, 20_000))
def test_divisors_divide_and_none_is_missing(number: int) -> None:
    assert divisors(number) == [part for part in range(1, number + 1) if number % part == 0]
