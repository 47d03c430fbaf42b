"""Every seed holds. These runs take every core for themselves."""

from __future__ import annotations

from pipeline.simulate.campaign import run_campaign, silence

RUNS = 2_000


def test_no_seed_breaks_a_promise() -> None:
    """Two thousand runs, with every kind of fault among them, hold all that is promised."""
    silence()
    campaign = run_campaign(range(RUNS))
    assert [(one.options.seed, one.violation) for one in campaign.failed] == []
    assert campaign.runs == RUNS
    assert campaign.events > 10 * RUNS
    assert 0 < campaign.stopped < RUNS / 20
