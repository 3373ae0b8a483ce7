"""Embedding in batches that show how far they are."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Any

import numpy as np

try:
    # Looked up here and not when a bar is wanted: that may be on an event loop, where files are taboo.
    from tqdm import tqdm as _tqdm  # type: ignore[import-untyped,unused-ignore]
except ImportError:
    _tqdm = None

ShowProgress = bool | Callable[[int, int], None]

# Texts per batch: enough for the services, few enough to see the bar move.
_BATCH = 1_000


def embed_with_progress(texts: list[str], embed: Callable[[list[str]], Any], show: ShowProgress) -> Any:
    """Vectors of `texts`, and word of how many are done."""
    if show is False:
        return embed(texts)
    parts = []
    with _Progress(len(texts), show) as progress:
        for batch in _batches(texts):
            parts.append(embed(batch))
            progress.advance(len(batch))
    return _joined(parts)


async def aembed_with_progress(
    texts: list[str], embed: Callable[[list[str]], Awaitable[Any]], show: ShowProgress
) -> Any:
    """Vectors of `texts`, and word of how many are done."""
    if show is False:
        return await embed(texts)
    parts = []
    with _Progress(len(texts), show) as progress:
        for batch in _batches(texts):
            parts.append(await embed(batch))
            progress.advance(len(batch))
    return _joined(parts)


class _Progress:
    """Tells a callable, a tqdm bar, or a line on stderr."""

    def __init__(self, total: int, show: ShowProgress) -> None:
        self._done, self._total = 0, total
        self._bar = _tqdm(total=total, unit="text") if show is True and _tqdm else None
        self._tell = show if callable(show) else None

    def __enter__(self) -> _Progress:
        return self

    def advance(self, count: int) -> None:
        self._done += count
        if self._tell:
            self._tell(self._done, self._total)
        elif self._bar is not None:
            self._bar.update(count)
        else:
            print(f"\rembedded {self._done:,} of {self._total:,} texts", end="", file=sys.stderr, flush=True)

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()
        elif not self._tell:
            print(file=sys.stderr)


def _batches(texts: list[str]) -> Iterator[list[str]]:
    for start in range(0, len(texts), _BATCH):
        yield texts[start : start + _BATCH]


def _joined(parts: Sequence[Any]) -> Any:
    if parts and all(isinstance(part, np.ndarray) for part in parts):
        return np.concatenate(parts)
    return [vector for part in parts for vector in part]
