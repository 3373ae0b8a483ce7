"""One engine in a process of its own: it is told when to build and when to measure, so that all see the same machine."""

import pathlib
import re
import resource
import sys
import tempfile
import time

import numpy as np
from engines import ENGINES, K


def run(connection, engine, files, by):
    """Answers until it is told to end. What goes wrong is an answer, too."""
    work = Worker(ENGINES[engine], files, by)
    for call, *arguments in iter(connection.recv, None):
        try:
            connection.send((True, getattr(work, call)(*arguments)))
        except Exception as error:
            connection.send((False, f"{type(error).__name__}: {error}"))


class Worker:
    def __init__(self, engine, files, by):
        self.engine, self.by = engine, by
        self.base, self.queries = (np.load(file) for file in files)

    def build(self):
        """Processor seconds, bytes of the saved index, most memory that the build took beside the vectors given to it."""
        before, began = memory("VmRSS"), time.process_time()
        self.engine.build(self.base, self.by)
        seconds, peak = time.process_time() - began, memory("VmHWM") - before
        self.base = None
        with tempfile.TemporaryDirectory() as folder:
            self.engine.save(pathlib.Path(folder))
            size = sum(path.stat().st_size for path in pathlib.Path(folder).rglob("*") if path.is_file())
        return {"build": seconds, "bytes": size, "peak": peak, "settings": list(self.engine.settings)}

    def answers(self, setting):
        """The ids that a setting finds, query by query."""
        self.engine.set(setting)
        found = np.full((len(self.queries), K), -1, np.int64)
        for row, query in zip(found, self.queries):
            ids = np.asarray(self.engine.one(query)).astype(np.int64)[:K]
            row[: len(ids)] = ids
        return found

    def measure(self, setting, seconds):
        """Seconds of each single query: the least of some rounds, and those of the last as they came. Then the least of all
        queries in one call, if the engine has such a call."""
        self.engine.set(setting)
        least, batch = np.full(len(self.queries), np.inf), None
        end = time.perf_counter() + seconds
        while True:
            single = np.array([self.timed(self.engine.one, query) for query in self.queries])
            least = np.minimum(least, single)
            if self.engine.many:
                batch = min(batch or np.inf, self.timed(self.engine.many, self.queries))
            if time.perf_counter() >= end:
                return least, single, batch

    @staticmethod
    def timed(search, what):
        began = time.perf_counter()
        search(what)
        return time.perf_counter() - began


def memory(which):
    """Bytes of this process that are in memory (`VmRSS`), or were at most since it began (`VmHWM`).

    Where there is no `/proc`, the most so far stands for both. On Linux that would say too much: there it begins with
    what the process that started this one had.
    """
    try:
        found = re.search(rf"^{which}:\s*(\d+) kB", pathlib.Path("/proc/self/status").read_text(), re.M)
    except OSError:
        found = None
    if found:
        return int(found[1]) * 1024
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024
