"""The keys of streams as people read them, search for them and send them back."""

from __future__ import annotations


def name(key: bytes) -> str:
    """A key as people read it; bytes that are no text show as hexadecimal escapes."""
    return key.decode("utf-8", "backslashreplace")


def search(keys: list[bytes], text: str, limit: int) -> list[str]:
    """Up to ``limit`` names that contain ``text``, whatever the case; those that start so first."""
    part = text.lower()
    found = [shown for shown in map(name, keys) if part in shown.lower()]
    return sorted(found, key=lambda shown: (not shown.lower().startswith(part), shown))[:limit]


def key_of(shown: str, keys: list[bytes]) -> bytes:
    """The key that ``name`` shows as ``shown``; what is in none of ``keys`` is taken literally."""
    literal = shown.encode("utf-8", "backslashreplace")
    if "\\x" not in shown:
        return literal
    return next((key for key in keys if name(key) == shown), literal)
