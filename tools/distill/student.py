"""The student: one row per token, a text is the normalized sum of its rows. Fitted here, with numpy and scipy alone."""

import sys

import numpy as np
from scipy.sparse import csr_matrix

DIM = 128
SPECIAL = [0, 100, 101, 102, 103]  # [PAD] [UNK] [CLS] [SEP] [MASK]
SIF = 1e-3  # Arora et al. 2017: the weight of a token of frequency p is a / (a + p)


def counts(tokens, vocabulary):
    """Texts x vocabulary: how often each token occurs in each text."""
    lengths = [len(t) for t in tokens]
    rows = np.repeat(np.arange(len(tokens)), lengths)
    columns = np.concatenate([np.asarray(t, dtype=np.int64) for t in tokens])
    ones = np.ones(len(columns), dtype=np.float32)
    return csr_matrix((ones, (rows, columns)), shape=(len(tokens), vocabulary), dtype=np.float32)


def unit(rows):
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)


def embed(x, table):
    """Unit vectors of texts given as counts."""
    return unit(np.asarray(x @ table))


def base_table(token_vectors, x):
    """The teacher's token vectors, less their mean, weighted by SIF over the training texts."""
    frequency = np.asarray(x.sum(axis=0)).ravel() / x.sum()
    weights = SIF / (SIF + frequency)
    table = (token_vectors - token_vectors.mean(axis=0)) * weights[:, None]
    table[SPECIAL] = 0.0
    return table.astype(np.float32)


def principal(y, dim):
    """The first `dim` principal directions of the teacher's vectors: what best keeps their inner products."""
    _, vectors = np.linalg.eigh(y.T @ y)
    return vectors[:, ::-1][:, :dim].astype(np.float32)


def ridge(x, base, y, penalty):
    """The linear map that takes the sums of `base` rows, scaled to unit length, nearest to `y`."""
    s = embed(x, base)
    gram = s.T @ s + penalty * len(s) / s.shape[1] * np.eye(s.shape[1], dtype=np.float32)
    return np.linalg.solve(gram, s.T @ y).astype(np.float32)


def residual(x, table, y, penalty, steps):
    """The change of `table` that brings the texts nearest to `y`, by conjugate gradients.

    Minimizes |D X (table + R) - y|^2 + penalty |R|^2, D bringing the present sums to the length they have
    in `y`. A token that no text holds keeps its row.
    """
    sums = np.asarray(x @ table)
    lengths = (sums * y).sum(axis=1) / np.maximum((sums * sums).sum(axis=1), 1e-9)
    d = np.clip(lengths, 1e-3, None)[:, None].astype(np.float32)
    xt = x.T.tocsr()

    def normal(r):
        return np.asarray(xt @ (d * d * np.asarray(x @ r))) + penalty * r

    rest = np.asarray(xt @ (d * (y - d * sums)))
    r, p = np.zeros_like(table), rest.copy()
    energy = (rest * rest).sum(axis=0)
    for _ in range(steps):
        q = normal(p)
        step = energy / np.maximum((p * q).sum(axis=0), 1e-20)
        r += step * p
        rest -= step * q
        renewed = (rest * rest).sum(axis=0)
        p = rest + renewed / np.maximum(energy, 1e-20) * p
        energy = renewed
    return r


class Refinement:
    """Gradient steps on what search sees: the ranking of a batch of texts around each of them.

    The loss of a batch is the Kullback-Leibler divergence from the teacher's softmax of cosines to the
    student's, a text against all others of the batch, plus `pull` times the squared error of the cosines.
    Steps are Adam's, taken only for the rows that the batch touches.
    """

    def __init__(self, x, y, table, rng, rate=2e-3, batch=1024, temperature=0.05, pull=20.0, anchor=1e-3):
        self.x, self.y, self.table, self.start, self.rng = x, y, table, table.copy(), rng
        self.rate, self.batch, self.temperature, self.pull, self.anchor = rate, batch, temperature, pull, anchor
        self.first, self.second = np.zeros_like(table), np.zeros_like(table)
        self.seen = np.zeros((len(table), 1), dtype=np.float32)

    def pick(self):
        """Half of a batch is near one of two texts in the teacher's eyes, so that fine distinctions are practised."""
        pool = self.rng.choice(len(self.y), min(len(self.y), 12 * self.batch), replace=False)
        likeness = self.y[pool[:2]] @ self.y[pool].T
        near = np.argpartition(-likeness, self.batch // 4, axis=1)[:, : self.batch // 4]
        others = self.rng.choice(len(self.y), self.batch // 2, replace=False)
        return np.unique(np.concatenate([pool[near.ravel()], others]))

    def step(self, rate):
        rows = self.pick()
        x = self.x[rows]
        touched = np.unique(x.indices)
        x = x[:, touched]
        table = self.table[touched]
        sums = np.asarray(x @ table)
        lengths = np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-9)
        s = sums / lengths
        loss, gradient = self.loss(s, self.y[rows])
        gradient -= (gradient * s).sum(axis=1, keepdims=True) * s
        full = np.asarray(x.T @ (gradient / lengths)) + self.anchor * (table - self.start[touched])
        self.adam(touched, full, rate)
        return loss

    def loss(self, s, y):
        """The loss and its gradient by the student's unit vectors."""
        n = len(s)
        student, teacher = s @ s.T, y @ y.T
        p, log_p = softmax(teacher / self.temperature)
        q, log_q = softmax(student / self.temperature)
        loss = (p * (log_p - log_q)).sum() / n
        off = student - teacher
        np.fill_diagonal(off, 0.0)
        by_cosine = (q - p) / (self.temperature * n) + 2.0 * self.pull * off / (n * n)
        return loss + self.pull * (off * off).mean(), (by_cosine + by_cosine.T) @ s

    def adam(self, rows, gradient, rate):
        self.seen[rows] += 1
        t = self.seen[rows]
        first = self.first[rows] = 0.9 * self.first[rows] + 0.1 * gradient
        second = self.second[rows] = 0.99 * self.second[rows] + 0.01 * gradient * gradient
        step = (first / (1 - 0.9**t)) / (np.sqrt(second / (1 - 0.99**t)) + 1e-10)
        self.table[rows] -= rate * step

    def run(self, steps, report=lambda done, loss: None):
        mean = 0.0
        for done in range(steps):
            # A short warm-up, then a straight line to zero.
            rate = self.rate * min(1.0, (done + 1) / 50) * (1 - done / steps)
            mean += 0.02 * (self.step(rate) - mean)
            if (done + 1) % 200 == 0:
                report(done + 1, mean)
        return self.table


def softmax(logits):
    """Row-wise softmax and its logarithm, a text's likeness to itself left out."""
    np.fill_diagonal(logits, -np.inf)
    logits = logits - logits.max(axis=1, keepdims=True)
    e = np.exp(logits)
    total = e.sum(axis=1, keepdims=True)
    log = logits - np.log(total)
    np.fill_diagonal(log, 0.0)
    return e / total, log


def quantize(table):
    """Rows as int8 with one scale each: row = scale * int8."""
    scales = np.abs(table).max(axis=1) / 127.0
    codes = np.rint(table / np.maximum(scales, 1e-30)[:, None]).astype(np.int8)
    return codes, scales.astype(np.float32)


def progress(done, loss):
    print(f"  step {done}: loss {loss:.4f}", file=sys.stderr, flush=True)
