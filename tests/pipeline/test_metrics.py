"""The metrics: what a scrape shows, how it is documented, and what it costs in series."""

from __future__ import annotations

import re
import shutil
import subprocess

import numpy as np
import pytest
from prometheus_client import CollectorRegistry, Histogram, generate_latest
from prometheus_client.exposition import choose_encoder
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from pipeline.metrics import MAX_LABEL_VALUES, Metrics
from pipeline.monitor.histogram import BulkHistogram
from pipeline.monitor.registries import Merged
from pipeline.snapshots import SnapshotStats
from tests.pipeline.monitor.exports import exercise, forecasts, process_exports, records_of
from tests.shared import REPOSITORY, missing


def exercised(registry: CollectorRegistry | None = None) -> Metrics:
    """Metrics in which everything has happened once."""
    metrics = Metrics("line", registry)
    exercise(metrics)
    return metrics


def everything() -> Merged:
    """The metrics of a pipeline and of the process that runs it."""
    return Merged([process_exports(), exercised(CollectorRegistry()).registry])


def stand(
    metrics: Metrics,
    lag: dict[int, int],
    positions: dict[int, int],
    snapshot: SnapshotStats | None = None,
) -> None:
    """Tell the lag and the positions of a pipeline without streams."""
    metrics.observe_state(
        lag=lag, positions=positions, live=0, spilled=0, recovery=1.0, snapshot=snapshot
    )


def value(metrics: Metrics, sample: str, **labels: str) -> float | None:
    """A sample's value in a scrape, or None."""
    return metrics.registry.get_sample_value(sample, {"pipeline": "line", **labels})


def test_every_call_shows_in_the_scrape() -> None:
    """Each method moves the sample it is named for."""
    metrics = exercised()
    assert value(metrics, "streamcell_input_rows_total") == 10
    assert value(metrics, "streamcell_input_dropped_rows_total", cause="too_fast") == 2
    assert value(metrics, "streamcell_output_dead_letters_total", cause="json") == 2
    assert value(metrics, "streamcell_output_dead_letters_total", cause="width") == 1
    assert value(metrics, "streamcell_output_rows_total", kind="score") == 2
    assert value(metrics, "streamcell_output_alarms_opened_total") == 1
    assert value(metrics, "streamcell_camera_up", camera="hall") == 1
    assert value(metrics, "streamcell_camera_still_frames_total") == 3
    assert value(metrics, "streamcell_tracking_live_tracks") == 5
    crossed = "streamcell_tracking_crossings_total"
    assert value(metrics, crossed, line="door", direction="in") == 1
    assert value(metrics, "streamcell_loop_batch_rows_bucket", le="8.0") == 1
    assert value(metrics, "streamcell_loop_batch_rows_bucket", le="4.0") == 0
    assert value(metrics, "streamcell_loop_stage_duration_seconds_count", stage="step") == 1
    assert value(metrics, "streamcell_commit_successes_total") == 1
    assert value(metrics, "streamcell_commit_failures_total") == 1
    assert value(metrics, "streamcell_input_rebalances_total") == 1
    assert value(metrics, "streamcell_pool_spills_total") == 3
    assert value(metrics, "streamcell_pool_restores_total") == 2
    assert value(metrics, "streamcell_pool_ended_streams_total") == 1
    assert value(metrics, "streamcell_recovery_replayed_rows_total") == 4
    assert value(metrics, "streamcell_input_lag_records", partition="1") == 6
    assert value(metrics, "streamcell_pool_live_streams") == 7
    assert value(metrics, "streamcell_pool_spilled_streams") == 1
    assert value(metrics, "streamcell_recovery_progress_ratio") == 0.25
    assert value(metrics, "streamcell_snapshot_rows_total") == 9
    assert value(metrics, "streamcell_snapshot_size_bytes") == 4096
    assert value(metrics, "streamcell_snapshot_duration_seconds_count") == 1
    age = value(metrics, "streamcell_snapshot_age_seconds")
    assert age is not None
    assert age > 1e9  # the snapshot above is of 1970


def test_forecasts_scores_are_summed_by_horizon() -> None:
    """Over all streams; what has no score is not counted, and each horizon begins at zero."""
    metrics = exercised()
    metrics.sent(forecasts([[np.nan, 0.5]], [[np.nan, 1.0]]))
    for horizon, wanted in (("1", (2, 0.75, 1.5)), ("48", (2, 2.5, 1.0))):
        for name, total in zip(
            ("scored_rows", "pinball_ratio", "covered_rows"), wanted, strict=True
        ):
            sample = f"streamcell_forecast_{name}_total"
            assert value(metrics, sample, horizon=horizon) == pytest.approx(total), sample
    fresh = Metrics("line")
    fresh.sent(forecasts([[np.nan, np.nan]], [[np.nan, np.nan]]))
    assert value(fresh, "streamcell_forecast_scored_rows_total", horizon="48") == 0
    fresh.sent(forecasts([[np.nan, np.nan]], [[np.nan, np.nan]]).rows(np.zeros(1, np.bool_)))


def test_latency_ends_with_the_commit() -> None:
    """Outputs count from their record's timestamp to the commit, and only once."""
    metrics = Metrics("line")
    metrics.sent(records_of("score", [1_000_000, 1_990_000]))
    assert value(metrics, "streamcell_output_latency_seconds_count") == 0
    metrics.committed(now_us=2_000_000)
    metrics.committed(now_us=9_000_000)
    assert value(metrics, "streamcell_output_latency_seconds_count") == 2
    assert value(metrics, "streamcell_output_latency_seconds_sum") == pytest.approx(1.01)
    assert value(metrics, "streamcell_output_latency_seconds_bucket", le="0.01") == 1


def test_latency_of_a_record_from_the_future_is_zero() -> None:
    """Clocks that differ don't make the sum go back."""
    metrics = Metrics("line")
    metrics.sent(records_of("score", [5_000_000]))
    metrics.committed(now_us=2_000_000)
    assert value(metrics, "streamcell_output_latency_seconds_sum") == 0.0
    assert value(metrics, "streamcell_output_latency_seconds_count") == 1


def test_lag_of_a_partition_that_went_away_goes_away() -> None:
    """Only partitions held now have a series."""
    metrics = exercised()
    stand(metrics, {1: 3}, {1: 107})
    assert value(metrics, "streamcell_input_lag_records", partition="0") is None
    assert value(metrics, "streamcell_input_lag_records", partition="1") == 3


def test_offsets_count_what_was_read_and_no_jumps() -> None:
    """A partition that comes, goes, or begins anew at an earlier offset adds nothing."""
    metrics = Metrics("line")
    for positions in ({0: 500}, {0: 510, 1: 9000}, {1: 9001}, {0: 100, 1: 9001}, {0: 90, 1: 9003}):
        stand(metrics, dict.fromkeys(positions, 0), positions)
    assert value(metrics, "streamcell_input_offsets_total") == 10 + 1 + 2


def test_a_target_is_told_where_there_is_one() -> None:
    """Without it an alert has nothing to compare with."""
    metrics = Metrics("line")
    metrics.aims(snapshot_every_s=30.0, latency_target_s=None)
    assert value(metrics, "streamcell_output_latency_target_seconds") is None
    metrics.aims(snapshot_every_s=30.0, latency_target_s=0.25)
    assert value(metrics, "streamcell_output_latency_target_seconds") == 0.25
    assert value(metrics, "streamcell_snapshot_interval_seconds") == 30.0


def test_dead_letters_begin_at_zero() -> None:
    """So that the first of a cause is an increase."""
    assert value(Metrics("line"), "streamcell_output_dead_letters_total", cause="malformed") == 0


def test_a_snapshot_told_twice_counts_once() -> None:
    """The loop tells the last snapshot at every commit."""
    metrics = exercised()
    again = SnapshotStats(finished=1000.0, duration_s=0.2, rows=9, size_bytes=4096)
    stand(metrics, {}, {}, again)
    assert value(metrics, "streamcell_snapshot_rows_total") == 9


def test_a_new_model_replaces_the_old_one() -> None:
    """One model is served at a time."""
    metrics = exercised()
    metrics.model("presses", "anomaly", "cd34", "onnxruntime 1.31.1", "cuda:0")
    text = generate_latest(metrics.registry).decode()
    assert 'bundle="cd34"' in text
    assert 'bundle="ab12"' not in text


def test_stage_is_timed_when_it_raises() -> None:
    """A failing step took its time too."""
    metrics = Metrics("line")
    with pytest.raises(RuntimeError), metrics.stage("step"):
        raise RuntimeError
    assert value(metrics, "streamcell_loop_stage_duration_seconds_count", stage="step") == 1


def test_causes_without_end_make_no_series_without_end() -> None:
    """After MAX_LABEL_VALUES causes the rest is 'other'."""
    metrics = Metrics("line")
    for number in range(10 * MAX_LABEL_VALUES):
        metrics.dropped(f"cause {number}", 1)
    (family,) = (
        family
        for family in metrics.registry.collect()
        if family.name == "streamcell_input_dropped_rows"
    )
    assert len(family.samples) == MAX_LABEL_VALUES + 1
    assert value(metrics, "streamcell_input_dropped_rows_total", cause="other") == (
        9 * MAX_LABEL_VALUES
    )


def test_two_pipelines_do_not_share_a_registry_by_mistake() -> None:
    """The second Metrics of a registry is refused, its histograms included."""
    registry = CollectorRegistry()
    BulkHistogram("streamcell_loop_batch_rows", "Rows.", ["pipeline"], [1.0], registry)
    with pytest.raises(ValueError, match="Duplicated"):
        Metrics("line", registry)


@pytest.mark.parametrize("bounds", [[], [1.0, 1.0], [2.0, 1.0], [1.0, float("inf")]])
def test_histogram_refuses_bounds_that_make_no_buckets(bounds: list[float]) -> None:
    """Bounds must ascend and be finite."""
    with pytest.raises(ValueError, match="bounds"):
        BulkHistogram("some_seconds", "Some.", [], bounds, CollectorRegistry())


def test_histogram_refuses_wrong_labels() -> None:
    """As many values as labels."""
    made = BulkHistogram("some_seconds", "Some.", ["stage"], [1.0], CollectorRegistry())
    with pytest.raises(ValueError, match="labels"):
        made.labels("a", "b")


def test_bulk_histogram_equals_the_clients_own() -> None:
    """Arrays and single values give the exposition that a call for each value gives."""
    bounds = [0.001, 0.01, 0.1, 1.0, 10.0]
    ours, theirs = CollectorRegistry(), CollectorRegistry()
    bulk = BulkHistogram("some_seconds", "Some.", ["stage"], bounds, ours).labels("step")
    reference = Histogram("some_seconds", "Some.", ["stage"], buckets=bounds, registry=theirs)
    random = np.random.default_rng(5)
    values = np.concatenate([random.lognormal(-3, 3, 5000), bounds, [0.0, 1e9]])
    bulk.observe_many(values[:3000].reshape(10, 300))
    bulk.observe_many(np.zeros(0))
    bulk.observe_many(values[3000:4000])
    for one in values[4000:]:
        bulk.observe(float(one))
    for one in values:
        reference.labels("step").observe(float(one))

    def samples(registry: CollectorRegistry) -> dict[str, float]:
        return {
            f"{sample.name}{sorted(sample.labels.items())}": sample.value
            for family in registry.collect()
            for sample in family.samples
            if not sample.name.endswith("_created")
        }

    assert samples(ours) == pytest.approx(samples(theirs), rel=1e-12)


def test_every_metric_is_documented_as_it_is() -> None:
    """docs/metrics.md has every metric with its type and labels, and no other."""
    text = (REPOSITORY / "docs" / "metrics.md").read_text(encoding="utf-8")
    row = r"^\| `(streamcell_\w+)` \| (\w+) \|([^|]*)\|[^|]+\|[^|]+\| `([^|]+)` \|$"
    documented = {
        name: (kind, re.findall(r"`(\w+)`", labels), example)
        for name, kind, labels, example in re.findall(row, text, re.MULTILINE)
    }
    exposed = {}
    for family in everything().collect():
        name = family.name + ("_total" if family.type == "counter" else "")
        labels = {label for sample in family.samples for label in sample.labels} - {"le"}
        exposed[name] = (family.type, labels)
    assert documented.keys() == exposed.keys()
    for name, (kind, labels_told, example) in documented.items():
        assert (kind, set(labels_told)) == exposed[name], name
        assert labels_told[:1] == ["pipeline"] or name.startswith("streamcell_config_")
        assert name in example
    assert set(re.findall(r"streamcell_\w+?(?=_bucket|_sum|_count|\b)", text)) <= exposed.keys()


def test_names_have_a_help_text_and_no_creation_series() -> None:
    """What people see first, and what nobody needs."""
    for family in everything().collect():
        assert family.name.startswith("streamcell_")
        assert family.documentation.endswith(".")
        assert not any(sample.name.endswith("_created") for sample in family.samples)


def test_openmetrics_parses() -> None:
    """The newer format is well-formed too."""
    encode, _ = choose_encoder("application/openmetrics-text; version=1.0.0")
    text = encode(exercised().registry).decode()
    parsed = text_string_to_metric_families(text)  # type: ignore[no-untyped-call]  # has no types
    families = {family.name for family in parsed}
    assert "streamcell_output_latency_seconds" in families


def test_promtool_finds_no_fault() -> None:
    """Prometheus's own linter agrees with names, units and help texts."""
    promtool = shutil.which("promtool")
    if promtool is None:
        missing("needs promtool (Debian: prometheus)")
    text = generate_latest(everything())
    done = subprocess.run(
        [str(promtool), "check", "metrics"],
        input=text,
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
