"""What a training or an evaluation found: report.json for programs, report.html for people.

The page is one file without scripts or references, so it can be mailed or archived.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
import orjson

_NUMBER = ' class="number"'
_STRONG = ' class="strong"'
_STYLE = Path(__file__).with_name("report.css")
_SHOWN = frozenset(
    {"title", "task", "created", "command", "summary", "verdict", "headline"}
    | {"tables", "notes", "settings", "figures", "details"}
)


def write_report(path: Path, report: Mapping[str, Any]) -> None:
    """Write the page to ``path`` (report.html) and its numbers beside it, with suffix .json.

    ``report`` holds, and all but ``title`` may be missing:

    - ``title``, ``task`` (above the title), ``summary`` (a sentence or two below it);
    - ``created`` (a time) and ``command`` (what to type to get this report again);
    - ``verdict``: ``{"good": bool, "text": str}``, such as whether the baseline was beaten;
    - ``headline``: list of ``{"label", "value", "note"}``, the few numbers that matter;
    - ``tables``: list of ``{"title", "caption", "columns": [str], "rows": [[cell]], "digits": 3,
      "highlight": [row number]}``; a cell is text, a number or None, and ``digits`` is how many
      decimals floats get (one for all, or a list with one for each column);
    - ``figures``: list of ``{"title", "caption", "svg"}`` (see ``trainer.report_figures``), in
      the page only;
    - ``notes``: list of sentences;
    - ``settings``: a mapping, folded away at the end;
    - ``details``: anything, in the JSON only.

    Every other key goes to the JSON; a mapping or a list of plain values is also shown on the
    page under the key's name, nested mappings with dotted names. Numpy numbers and arrays are
    fine; NaN and infinities become null.
    """
    plain = {key: value for key, value in report.items() if key != "figures"}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.with_suffix(".json").write_bytes(
        orjson.dumps(plain, default=_plain, option=orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_INDENT_2)
        + b"\n"
    )
    path.write_text(render(report), encoding="utf-8")


def render(report: Mapping[str, Any]) -> str:
    """The page as text; takes what ``write_report`` takes."""
    title = escape(str(report["title"]))
    body = "\n".join(
        part
        for part in (
            _header(report),
            *map(_table, report.get("tables", ())),
            _figures(report.get("figures", ())),
            _notes(report.get("notes", ())),
            *_others(report),
            _folded("Settings", report.get("settings", {})),
        )
        if part
    )
    style = _STYLE.read_text(encoding="utf-8")
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{title}</title>\n<style>\n{style}</style>\n</head>\n"
        f"<body>\n<main>\n{body}\n</main>\n</body>\n</html>\n"
    )


def _header(report: Mapping[str, Any]) -> str:
    parts = ["<header>"]
    if task := report.get("task"):
        parts.append(f'<p class="kicker">streamcell · {escape(str(task))}</p>')
    parts.append(f"<h1>{escape(str(report['title']))}</h1>")
    if summary := report.get("summary"):
        parts.append(f'<p class="lead">{escape(str(summary))}</p>')
    meta = [escape(str(report["created"]))] if report.get("created") else []
    if command := report.get("command"):
        meta.append(f"<code>{escape(str(command))}</code>")
    if meta:
        parts.append(f'<p class="meta">{" · ".join(meta)}</p>')
    if verdict := report.get("verdict"):
        kind = "verdict" if verdict["good"] else "verdict bad"
        parts.append(f'<p class="{kind}">{escape(str(verdict["text"]))}</p>')
    if tiles := report.get("headline"):
        parts.append('<dl class="tiles">')
        parts += [
            f'<div class="tile"><dt>{escape(str(tile["label"]))}</dt>'
            f'<dd class="value">{_text(tile["value"], 3)}</dd>'
            f'<dd class="note">{escape(str(tile.get("note", "")))}</dd></div>'
            for tile in tiles
        ]
        parts.append("</dl>")
    return "\n".join([*parts, "</header>"])


def _table(table: Mapping[str, Any]) -> str:
    columns: Sequence[str] = table["columns"]
    rows: Sequence[Sequence[Any]] = table["rows"]
    digits = table.get("digits", 3)
    digits = [digits] * len(columns) if isinstance(digits, int) else digits
    strong = set(table.get("highlight", ()))
    heads, cells = [], []
    for name, places, column in zip(columns, digits, zip(*rows, strict=True), strict=True):
        kind = _NUMBER if _numeric(column) else ""
        fixed = any(isinstance(cell, (float, np.floating)) for cell in column)
        heads.append(f"<th{kind}>{escape(name)}</th>")
        shown = [float(cell) if fixed and isinstance(cell, int) else cell for cell in column]
        cells.append([f"<td{kind}>{_text(cell, places)}</td>" for cell in shown])
    lines = [
        f"<tr{_STRONG if number in strong else ''}>{''.join(row)}</tr>"
        for number, row in enumerate(zip(*cells, strict=True))
    ]
    return (
        _section(table.get("title"), table.get("caption"))
        + f'<div class="scroll"><table><thead><tr>{"".join(heads)}</tr></thead>\n<tbody>'
        + "\n".join(lines)
        + "</tbody></table></div>"
    )


def _figures(figures: Sequence[Mapping[str, str]]) -> str:
    if not figures:
        return ""
    return "\n".join(
        ["<h2>Figures</h2>"]
        + [
            f"<figure><h3>{escape(figure['title'])}</h3>"
            f'<div class="scroll">{figure["svg"]}</div>'
            f'<figcaption class="caption">{escape(figure.get("caption", ""))}</figcaption></figure>'
            for figure in figures
        ]
    )


def _notes(notes: Iterable[str]) -> str:
    items = "".join(f"<li>{escape(note)}</li>" for note in notes)
    return f"<h2>Notes</h2>\n<ul>{items}</ul>" if items else ""


def _others(report: Mapping[str, Any]) -> Iterable[str]:
    """The keys that this page has no place of their own for."""
    for key, value in report.items():
        if key in _SHOWN:
            continue
        pairs = _flat(value)
        if pairs:
            yield _section(_heading(key), None) + _pairs(pairs)


def _folded(title: str, values: Mapping[str, Any]) -> str:
    pairs = _flat(values)
    if not pairs:
        return ""
    return (
        f"<h2>{title}</h2><details><summary>{len(pairs)} values</summary>{_pairs(pairs)}</details>"
    )


def _section(title: object, caption: object) -> str:
    text = f"<h2>{escape(str(title))}</h2>\n" if title else ""
    return text + (f'<p class="caption">{escape(str(caption))}</p>\n' if caption else "")


def _pairs(pairs: Mapping[str, Any]) -> str:
    lines = "".join(
        f"<tr><td>{escape(_words(key))}</td>"
        f"<td{_NUMBER if _numeric([value]) else ''}>{_text(value, None)}</td></tr>"
        for key, value in pairs.items()
    )
    return f'<div class="scroll"><table class="pairs"><tbody>{lines}</tbody></table></div>'


def _flat(value: Any, prefix: str = "") -> dict[str, Any]:
    """Plain values of nested mappings under dotted names; longer lists stay in the JSON."""
    if isinstance(value, Mapping):
        flat: dict[str, Any] = {}
        for key, item in value.items():
            flat |= _flat(item, f"{prefix}.{key}" if prefix else str(key))
        return flat
    if isinstance(value, (list, tuple)):
        if len(value) > 12 or any(isinstance(item, (Mapping, list, tuple)) for item in value):
            return {}
        return {prefix: ", ".join(plain_text(item, None) for item in value)} if prefix else {}
    if isinstance(value, np.ndarray):
        return _flat(value.tolist(), prefix)
    return {prefix or "value": value}


def _words(key: str) -> str:
    return key.replace("_", " ")


def _heading(key: str) -> str:
    return _words(key[:1].upper() + key[1:])


def _numeric(cells: Iterable[Any]) -> bool:
    present = [cell for cell in cells if cell is not None]
    return bool(present) and all(
        isinstance(cell, (int, float, np.number)) and not isinstance(cell, bool) for cell in present
    )


def _text(value: Any, digits: int | None) -> str:
    return escape(plain_text(value, digits))


def plain_text(value: Any, digits: int | None) -> str:
    """A cell for people: a fixed number of decimals, or four significant digits without one."""
    if value is None or (isinstance(value, (float, np.floating)) and not np.isfinite(value)):
        return "–"
    if isinstance(value, (bool, np.bool_)):
        return "yes" if value else "no"
    if isinstance(value, (int, np.integer)):
        return f"{value:,}".replace(",", "\u202f")
    if isinstance(value, (float, np.floating)):
        text = f"{value:.4g}" if digits is None else f"{value:.{digits}f}"
        return text.replace("-", "\u2212")
    return str(value)


def _plain(value: Any) -> Any:
    """For orjson: what it has no form for."""
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, (set, frozenset, tuple)):
        return list(value)
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"a report can't hold {type(value).__name__}")
