"""One place a camera, and what becomes of frames that nobody takes."""

from __future__ import annotations

import threading

import av

from pipeline.video.mailbox import CORRUPT, OVERLOAD, STOPPED, Mailbox, Waiting


def frame(camera: int, number: int) -> Waiting:
    """A frame that came at ``number``."""
    return Waiting(camera, number, number, number, av.VideoFrame(16, 16, "yuv420p"))


def numbers(mailbox: Mailbox) -> list[tuple[int, int]]:
    """Camera and number of what waits."""
    return [(item.camera, item.number) for item in mailbox.take(0)[0]]


def test_the_newest_takes_the_place() -> None:
    """Of each camera for itself; they are taken in the order they came."""
    mailbox = Mailbox(keep=False)
    for item in (frame(1, 0), frame(0, 1), frame(1, 2), frame(1, 3)):
        mailbox.put(item)
    assert len(mailbox) == 2
    assert numbers(mailbox) == [(0, 1), (1, 3)]
    assert mailbox.dropped() == {OVERLOAD: 2}
    assert mailbox.dropped() == {}
    assert numbers(mailbox) == []


def test_a_frame_that_is_kept_waits_for_its_place() -> None:
    """Its thread stands still until then."""
    mailbox = Mailbox(keep=True)
    mailbox.put(frame(0, 0))
    thread = threading.Thread(target=mailbox.put, args=(frame(0, 1),))
    thread.start()
    assert numbers(mailbox) == [(0, 0)]
    thread.join(10)
    assert numbers(mailbox) == [(0, 1)]
    assert mailbox.dropped() == {}


def test_an_end_comes_behind_the_last_frame() -> None:
    """In the same take, and once."""
    mailbox = Mailbox(keep=True)
    mailbox.put(frame(0, 7))
    mailbox.end(0)
    waiting, ended = mailbox.take(10)
    assert [item.number for item in waiting] == [7]
    assert ended == [0]
    assert mailbox.take(0) == ([], [])


def test_taking_waits_for_the_first_only() -> None:
    """And not at all where something waits."""
    mailbox = Mailbox(keep=False)
    thread = threading.Thread(target=mailbox.put, args=(frame(0, 1),))
    thread.start()
    assert len(mailbox.take(10)[0]) == 1
    thread.join(10)


def test_closing_lets_everybody_go_and_counts() -> None:
    """What waited, and what is put afterwards; closing twice is fine."""
    mailbox = Mailbox(keep=True)
    mailbox.put(frame(0, 0))
    mailbox.count(CORRUPT)
    thread = threading.Thread(target=mailbox.put, args=(frame(0, 1),))
    thread.start()
    mailbox.close()
    thread.join(10)
    mailbox.close()
    mailbox.pause(10)
    assert mailbox.closed
    assert mailbox.dropped() == {STOPPED: 2, CORRUPT: 1}
