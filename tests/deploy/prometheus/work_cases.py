"""Alerts on what running pipelines do: input, output and state."""

from __future__ import annotations

from tests.deploy.prometheus.case import DOWN, JUST_STARTED, LONG, RECOVERING, Case, Series

LAG = "streamcell_input_lag_records partition=0"
READ = "streamcell_input_offsets_total"
ROWS = "streamcell_input_rows_total"
DROPPED = "streamcell_input_dropped_rows_total cause="
DEAD = "streamcell_output_dead_letters_total cause=malformed"
CAMERA = "streamcell_camera_up camera="
OPENED = "streamcell_output_alarms_opened_total"
STREAMS = "streamcell_pool_live_streams"
BUCKET = "streamcell_output_latency_seconds_bucket le="
OUTPUTS = "streamcell_output_latency_seconds_count"
TARGET = "streamcell_output_latency_target_seconds"
AGE = "streamcell_snapshot_age_seconds"
INTERVAL = "streamcell_snapshot_interval_seconds"


def slow(outputs: int, target_s: float | None) -> Series:
    """So many outputs a minute, half of them above half a second, all below one."""
    return {
        f"{BUCKET}0.5": f"0+{outputs // 2}{LONG}",
        f"{BUCKET}1.0": f"0+{outputs}{LONG}",
        f"{BUCKET}+Inf": f"0+{outputs}{LONG}",
        OUTPUTS: f"0+{outputs}{LONG}",
        TARGET: None if target_s is None else f"{target_s}{LONG}",
    }


CASES = (
    Case(
        "StreamcellLagGrowing",
        quiet=10,
        minutes=30,
        ill={LAG: "0+3000x60", READ: "0+6000x60"},
        well={
            "works off a burst": {LAG: "0x5 60000-6000x10 0x40", READ: "0+12000x60"},
            "has few rows": {LAG: "0+2x40", READ: "0+1x60"},
            "is a few seconds behind": {LAG: "1000+20x60", READ: "0+6000x60"},
            "catches up": {LAG: "600000-3000x60", READ: "0+6000x60"},
            "recovers": {LAG: "0+3000x60", READ: "0+6000x60", **RECOVERING},
            "was just started": {LAG: "0+3000x60", READ: "0+6000x60", **JUST_STARTED},
        },
    ),
    Case(
        "StreamcellLagNotCaughtUp",
        quiet=30,
        minutes=60,
        ill={LAG: "360000-60x120", READ: "0+6000x120"},
        well={
            "is done within the hour": {LAG: "360000-6000x60 0x60", READ: "0+6000x120"},
            "has few rows": {LAG: "90x120", READ: "0+1x120"},
            "always has some in flight": {LAG: "3000x120", READ: "0+6000x120"},
            "recovers": {LAG: "360000-60x120", READ: "0+6000x120", **RECOVERING},
        },
    ),
    Case(
        "StreamcellStalled",
        quiet=5,
        minutes=15,
        ill={LAG: "500x30", READ: "7000x30"},
        well={
            "has no input": {LAG: "0x30", READ: "7000x30"},
            "sees transaction markers": {LAG: "50x30", READ: "7000x30"},
            "reads": {LAG: "500x30", READ: "0+60x30"},
            "recovers": {LAG: "500x30", READ: "7000x30", **RECOVERING},
        },
    ),
    Case(
        "StreamcellInputStopped",
        quiet=89,
        minutes=98,
        ill={ROWS: "0+60x80 4800x40", LAG: "0x120"},
        well={
            "rests now and then": {
                ROWS: "0+60x20 1200x20 1200+60x10 1860x20 1860+60x10 2460x60",
                LAG: "0x120",
            },
            "has rows again": {ROWS: "0+60x80 4800x10 4800+60x40", LAG: "0x120"},
            "does not read": {ROWS: "0+60x80 4800x40", LAG: "500x120"},
            "recovers": {ROWS: "0+60x80 4800x40", LAG: "0x120", **RECOVERING},
            "never had rows": {ROWS: "0x120", LAG: "0x120"},
            "has no past": {ROWS: "_x69 0+60x10 600x60", LAG: "0x120"},
        },
    ),
    Case(
        "StreamcellCameraDown",
        quiet=5,
        minutes=10,
        ill={
            f"{CAMERA}hall": "1x3 0x20",
            "streamcell_camera_up camera=yard": "1x20",
        },
        well={
            "lost it for a moment": {f"{CAMERA}hall": "1x3 0 1x20"},
            "is started again": {f"{CAMERA}hall": "0x20", **DOWN},
        },
    ),
    Case(
        "StreamcellFramesDropped",
        quiet=15,
        minutes=25,
        ill={
            f"{DROPPED}camera_overload": "0+600x40",
            f"{DROPPED}camera_corrupt": "0+600x40",
            ROWS: "0+900x40",
        },
        well={
            "drops some": {f"{DROPPED}camera_overload": "0+300x40", ROWS: "0+1200x40"},
            "leaves out what it was told to": {
                f"{DROPPED}camera_rate": "0+1200x40",
                ROWS: "0+300x40",
            },
            "recovers": {f"{DROPPED}camera_overload": "0+600x40", ROWS: "0+60x40", **RECOVERING},
            "has hardly any frames": {f"{DROPPED}camera_overload": "0+6x40", ROWS: "0+3x40"},
        },
    ),
    Case(
        "StreamcellSoundLost",
        quiet=2,
        minutes=10,
        ill={f"{DROPPED}microphone_overflow": "1+1x20"},
        well={
            "lost it once": {f"{DROPPED}microphone_overflow": "0x3 1x30"},
            "recovers": {f"{DROPPED}microphone_overflow": "1+1x20", **RECOVERING},
            "was stopped": {f"{DROPPED}microphone_stopped": "0+10x30"},
        },
    ),
    Case(
        "StreamcellCommitFailures",
        quiet=4,
        minutes=10,
        ill={"streamcell_commit_failures_total": "0x3 1 0x20"},
        well={"commits": {"streamcell_commit_failures_total": "0x30"}},
    ),
    Case(
        "StreamcellLatencyHigh",
        quiet=10,
        minutes=20,
        ill=slow(1200, 0.7),
        well={
            "has no target": slow(1200, None),
            "has another target": slow(1200, 2.0),
            "has few outputs": slow(12, 0.7),
            "recovers": {**slow(1200, 0.7), **RECOVERING},
        },
    ),
    Case(
        "StreamcellDeadLetters",
        quiet=5,
        minutes=15,
        ill={DEAD: "0+60x40", ROWS: "0+1200x40"},
        well={
            "rejects one in two hundred": {DEAD: "0+6x40", ROWS: "0+1200x40"},
            "rejects some of very few": {DEAD: "0+0.25x40", ROWS: "0+1x40"},
            "has no input": {DEAD: "60x40", ROWS: "60x40"},
            "was just started": {DEAD: "0+60x40", ROWS: "0+1200x40", **JUST_STARTED},
        },
    ),
    Case(
        "StreamcellMostlyDeadLetters",
        quiet=5,
        minutes=15,
        ill={DEAD: "0+900x40", ROWS: "0+1200x40"},
        well={
            "recovers": {DEAD: "0+900x40", ROWS: "0+1200x40", **RECOVERING},
            "rejects a quarter": {DEAD: "0+300x40", ROWS: "0+1200x40"},
            "rejects all of very few": {DEAD: "0x3 1 2 3x40", ROWS: "0x3 1 2 3x40"},
        },
    ),
    Case(
        "StreamcellAlarmFlood",
        quiet=79,
        minutes=92,
        ill={OPENED: "0+0.1x75 8+10x60", STREAMS: "100x120"},
        well={
            "has that many streams": {OPENED: "0+0.1x75 8+10x60", STREAMS: "1000x120"},
            "always has many": {OPENED: "0+10x120", STREAMS: "100x120"},
            "has few streams": {OPENED: "0x75 0+0.5x60", STREAMS: "3x120"},
            "has little past": {OPENED: "_x39 0+0.1x35 4+10x60", STREAMS: "100x120"},
            "was just started": {
                OPENED: "0+0.1x75 8+10x60",
                STREAMS: "100x120",
                **JUST_STARTED,
            },
        },
    ),
    Case(
        "StreamcellSnapshotOld",
        quiet=8,
        minutes=15,
        ill={AGE: "0+60x40", INTERVAL: "30x40"},
        well={
            "saves once an hour": {AGE: "0+60x40", INTERVAL: "3600x40"},
            "saved late": {AGE: "0+60x6 0x40", INTERVAL: "30x40"},
            "does not run": {AGE: "0+60x40", INTERVAL: "30x40", **DOWN},
        },
    ),
)
