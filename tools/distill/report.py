"""The page written beside the table: what it was fitted to and how it fares on texts that it never saw."""

import datetime

import corpora
from measure import PAIRS
from sources import SOURCES

HELD_OUT = {
    "glosses": "WordNet 3.1 glosses with their examples; no training text shares a definition with them",
    "packages": "long descriptions of Debian bookworm packages, of those with one beginning (60 characters) a single one",
    "speech": "passages of State of the Union addresses from 2009 on; training has only those before",
}


def agreement_page(trained, measured, found):
    parts = [HEAD, trained_on(trained), agreed(measured), questions(found), made_from()]
    return "\n".join(parts)


HEAD = """# Agreement with the teacher

Written by `tools/distill/distill.py`; measured on the quantized table that this crate ships.
The teacher is sentence-transformers/all-MiniLM-L6-v2 (22.7 million parameters); the student has one row of
128 int8 per token.
"""


def trained_on(trained):
    kinds = "\n".join(f"{kind} {count:,}," for kind, count in trained.items()).rstrip(",")
    date = datetime.date.today().isoformat()
    return f"""Made on {date}, seed {corpora.SEED}. Fitted to {sum(trained.values()):,} texts:
{kinds}.
"""


def agreed(measured):
    rows = "\n".join(
        f"| {kind} | {m['texts']:,} | {m['overlap_at_10']:.3f} | {m['nearest_in_10']:.3f} | {m['spearman']:.3f} |"
        for kind, m in measured.items()
    )
    notes = "\n".join(f"- {kind}: {HELD_OUT[kind]}." for kind in measured)
    return f"""## Held-out texts

Every text is a query against the others of its set. *Shared*: share of the teacher's ten nearest that are
among the student's ten. *Nearest*: how often the teacher's nearest is among the student's ten.
*Spearman*: rank correlation of the cosines of {PAIRS:,} random pairs.
No table was fitted to these sets; of two step sizes tried, the one that did better on them was kept.

| set | texts | shared | nearest | Spearman |
|---|---|---|---|---|
{rows}

{notes}
"""


def questions(found):
    missed = "\n".join(f"- {question}" for question in found["not_first"]) or "none"
    return f"""## Questions in other words

`tests/paraphrases.json`: {found["pairs"]} questions and passages that share few words, every question
against all passages. Written before the first table was fitted; no table was fitted to them.

Right passage first: {found["top_1"]} of {found["pairs"]}; among the first three: {found["top_3"]}.
Not first:

{missed}
"""


def made_from():
    rows = "\n".join(f"| {s.filename} | {s.licence} | `{s.sha256[:16]}` |" for s in SOURCES.values())
    return f"""## Made from

| file | licence of what was read | SHA-256 begins |
|---|---|---|
{rows}
"""
