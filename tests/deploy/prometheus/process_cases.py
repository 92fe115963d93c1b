"""Alerts on processes, and on pipelines that do not run."""

from __future__ import annotations

from tests.deploy.prometheus.case import DOWN, LONG, RECOVERING, Case

ROWS = "streamcell_input_rows_total"

CASES = (
    Case(
        "StreamcellDown",
        quiet=5,
        minutes=10,
        ill={"up": "1x3 0x20"},
        well={
            "answers": {},
            "one scrape was lost": {"up": "1x3 0 1x20"},
            "another job is down": {"up job=node": "0x20"},
        },
    ),
    Case(
        "StreamcellAbsent",
        quiet=4,
        minutes=10,
        ill={"up": None},
        well={"answers": {}, "is down but known": {"up": "0x20"}},
    ),
    Case(
        "StreamcellProcessRestarts",
        quiet=6,
        minutes=10,
        ill={
            "process_start_time_seconds": "0 _ 60 _ 120 _ 180x20",
            "streamcell_config_loaded_timestamp_seconds": "0 _ 60 _ 120 _x20",
        },
        well={
            "was restarted once": {"process_start_time_seconds": "0x3 240x20"},
            "another exporter": {
                "process_start_time_seconds": "0 60 120 180 240x20",
                "streamcell_config_loaded_timestamp_seconds": None,
            },
        },
    ),
    Case(
        "StreamcellReloadFailed",
        quiet=6,
        minutes=10,
        ill={"streamcell_config_last_reload_successful": "1x1 0x20"},
        well={"was corrected": {"streamcell_config_last_reload_successful": "1x1 0x3 1x20"}},
    ),
    Case(
        "StreamcellPipelineDown",
        quiet=4,
        minutes=10,
        ill=DOWN,
        well={
            "starts": {"streamcell_pipeline_up": "0x3 1x20"},
            "came to its input's end": {"streamcell_pipeline_up": "1x3 stale"},
        },
    ),
    Case(
        "StreamcellPipelineRestarts",
        quiet=4,
        minutes=8,
        ill={"streamcell_pipeline_restarts_total": "0x1 1 2 3 4x20"},
        well={
            "failed once": {"streamcell_pipeline_restarts_total": "0x3 1x30"},
            "fails now and then": {"streamcell_pipeline_restarts_total": "0x9 1x9 2x9 3x9"},
        },
    ),
    Case(
        "StreamcellRecoveryStuck",
        quiet=9,
        minutes=15,
        ill={"streamcell_recovery_progress_ratio": f"0{LONG}", ROWS: f"0{LONG}"},
        well={
            "replays": {**RECOVERING, ROWS: f"0+1000{LONG}"},
            "waits a little": {
                "streamcell_recovery_progress_ratio": "0x8 1x30",
                ROWS: f"0{LONG}",
            },
            "has no input": {ROWS: f"0{LONG}"},
            "is started again": {**DOWN, **RECOVERING, ROWS: f"0{LONG}"},
        },
    ),
)
