"""The manifest: what it says of state and outputs, and what it survives."""

from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError

from pipeline.errors import BundleError
from pipeline.manifest import TAKEN_NAMES, Part, parse_manifest, state_fingerprint
from tests.pipeline.bundles import HIDDEN, manifest


def test_it_is_the_same_after_being_written_and_read() -> None:
    """Every field."""
    original = manifest(
        head={"threshold": 0.5, "labels": ["a", "b"]},
        metrics={"f1": 0.75},
        training={"rows": 10},
        sample_interval_s=0.5,
    )
    assert parse_manifest(original.to_json(), "here") == original


def test_the_initial_state_is_packed_in_order() -> None:
    """One value for a whole part, or one for each float."""
    parts = (
        Part(name="a", shape=(2,), initial=0.5),
        Part(name="b", shape=(), initial=-1.0),
        Part(name="c", shape=(1, 3), initial=(1.0, 2.0, 3.0)),
    )
    state = manifest(state=parts).initial_state()
    assert state.dtype == np.float32
    assert state.tolist() == [0.5, 0.5, -1.0, 1.0, 2.0, 3.0]
    assert manifest(state=parts).state_width == 6


def test_outputs_are_found_by_name() -> None:
    """The columns of y, or an error that names what there is."""
    described = manifest(outputs=(Part(name="mean", shape=(3,)), Part(name="last")))
    assert described.output_slice("mean") == slice(0, 3)
    assert described.output_slice("last") == slice(3, 4)
    assert described.output_width == 4
    with pytest.raises(BundleError, match="no output part 'std'; the bundle has: mean, last"):
        described.output_slice("std")


@pytest.mark.parametrize("name", sorted(TAKEN_NAMES))
def test_what_every_record_tells_is_no_name_of_a_reported_output(name: str) -> None:
    """Of the task that reports outputs under their own names; other tasks have names for them."""
    parts = (Part(name="mean"), Part(name=name))
    other = manifest(outputs=parts)
    assert parse_manifest(other.to_json(), "here") == other
    text = other.to_json().replace('"task":"test"', '"task":"outputs"')
    with pytest.raises(BundleError, match=rf"^here: .*every record has {name} already"):
        parse_manifest(text, "here")


def test_it_cannot_be_changed() -> None:
    """Parts of the pipeline share it."""
    with pytest.raises(ValidationError):
        manifest().name = "other"  # type: ignore[misc]  # what the test is about


def test_the_fingerprint_names_layout_and_arithmetic() -> None:
    """Equal for the same state of the same graph, whatever else the bundle says."""
    layout = (Part(name="h", shape=(HIDDEN,)),)
    same = state_fingerprint(layout, b"graph")
    assert state_fingerprint(layout, b"graph") == same
    assert state_fingerprint(layout, b"other") != same
    assert state_fingerprint((Part(name="h", shape=(HIDDEN,), initial=1.0),), b"graph") != same
    assert state_fingerprint((Part(name="h", shape=(1, HIDDEN)),), b"graph") != same
