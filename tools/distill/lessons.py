"""What the teacher says about each text: token ids and teacher vectors, kept in the work folder between runs."""

import hashlib
import sys
import time
from dataclasses import dataclass

import numpy as np

from teacher import Teacher

VOCAB_SIZE = 30522
CLS, SEP = 101, 102


@dataclass
class Lessons:
    """Token ids (without [CLS] and [SEP]) of texts, and the teacher's unit vectors (n x 384)."""

    tokens: list
    vectors: np.ndarray


def learn(kind, texts, tokenizer, teacher, work):
    """The lessons of one kind of text; a second run with the same texts reads them from `work`."""
    sequences = [e.ids for e in tokenizer.encode_batch(texts)]
    digest = hashlib.sha256("\n".join(texts).encode()).hexdigest()[:16]
    path = work / "taught" / f"{kind}-{digest}.npy"
    path.parent.mkdir(exist_ok=True)
    if not path.exists():
        save(path, teacher.encode(sequences, reporter(kind)).astype(np.float16))
    vectors = np.load(path).astype(np.float32)
    return Lessons([s[1:-1] for s in sequences], vectors)


def learn_tokens(teacher, work):
    """The teacher's vector of every token alone (30,522 x 384), the stuff a static table is made of."""
    path = work / "taught" / "tokens.npy"
    path.parent.mkdir(exist_ok=True)
    if not path.exists():
        alone = [[CLS, token, SEP] for token in range(VOCAB_SIZE)]
        save(path, teacher.encode(alone, reporter("tokens")).astype(np.float16))
    return np.load(path).astype(np.float32)


def save(path, array):
    part = path.with_suffix(".part.npy")
    np.save(part, array)
    part.replace(path)


def reporter(kind):
    """Prints progress every few seconds."""
    began = last = time.monotonic()

    def report(done, total):
        nonlocal last
        now = time.monotonic()
        if now - last > 15 or done == total:
            last = now
            print(f"  {kind}: {done}/{total} tokens, {done / (now - began):.0f}/s", file=sys.stderr, flush=True)

    return report
