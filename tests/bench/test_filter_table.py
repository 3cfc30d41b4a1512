"""Pick-a-Filter on simulated images: what the table says of the ends of the mixture ratio."""

from __future__ import annotations

from palate.bench.filters import accuracies


def test_two_prototypes_gain_where_colours_divide_people_and_only_there() -> None:
    one, two = accuracies(0.0, seed=0)
    assert abs(two - one) < 0.03
    one, two = accuracies(1.0, seed=0)
    assert two > 0.95
    assert one < 0.9
