"""What a notebook shows of a store."""

from __future__ import annotations

from html import escape

from .. import _native


def table(title: str, store: _native.Store, distance: str, model: str) -> str:
    """A small table of what a store holds; everything in it is escaped."""
    vectors, mapped, documents = store.memory()
    in_file = f", {_size(mapped)} in their file" if mapped else ""
    rows = [
        ("Documents", f"{len(store):,}"),
        ("Dimension", f"{store.dim:,}" if store.dim else "from the first document"),
        ("Distance", distance + (", unit length" if store.normalize_l2 else "")),
        ("Memory", f"{_size(vectors)} vectors{in_file}, about {_size(documents)} documents"),
        ("Embeddings", model),
    ]
    rows += [(f"Field {name}", _types(types)) for name, types in store.metadata_fields().items()]
    body = "".join(
        f"<tr><th style='text-align:left'>{escape(name)}</th><td style='text-align:left'>{escape(value)}</td></tr>"
        for name, value in rows
    )
    return f"<table><caption>{escape(title)}</caption><tbody>{body}</tbody></table>"


def _types(types: dict[str, int]) -> str:
    return ", ".join(f"{name} ({count:,})" for name, count in types.items())


def _size(count: int) -> str:
    size = float(count)
    for unit in ("bytes", "KiB", "MiB"):
        if size < 1024:
            return f"{size:,.0f} {unit}"
        size /= 1024
    return f"{size:,.1f} GiB"
