"""The order of a shutdown and its times."""

from __future__ import annotations

import pytest

from pipeline.run.shutdown import TERM_S, Stage, may_ask, next_moment_s


def test_translators_are_asked_first_and_replicators_last() -> None:
    """While a stage before it lives, a stage goes on with its work."""
    everything = {Stage.TRANSLATE, Stage.PUBLISH, Stage.REPLICATE}
    assert [stage for stage in Stage if may_ask(stage, everything, 0)] == [Stage.TRANSLATE]
    assert may_ask(Stage.PUBLISH, {Stage.PUBLISH, Stage.REPLICATE}, 0)
    assert not may_ask(Stage.REPLICATE, {Stage.PUBLISH, Stage.REPLICATE}, 0)
    assert may_ask(Stage.REPLICATE, {Stage.REPLICATE}, 0)


def test_a_stage_that_hangs_does_not_take_the_time_of_the_others() -> None:
    """After its share of the time the next stage is asked too, and each has five seconds."""
    hanging = {Stage.TRANSLATE, Stage.PUBLISH, Stage.REPLICATE}
    assert not may_ask(Stage.PUBLISH, hanging, 1.9)
    assert may_ask(Stage.PUBLISH, hanging, 2)
    assert not may_ask(Stage.REPLICATE, hanging, 3.9)
    assert may_ask(Stage.REPLICATE, hanging, 4)
    assert TERM_S - 4 >= 5


@pytest.mark.parametrize(
    ("elapsed_s", "left_s"), [(0, 2), (1.5, 0.5), (2, 2), (7, 2), (9, 0), (20, 0)]
)
def test_the_next_moment_is_the_next_change(elapsed_s: float, left_s: float) -> None:
    """Nothing but signals and these moments changes what is to be done."""
    assert next_moment_s(elapsed_s) == left_s
