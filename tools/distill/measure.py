"""How far the student agrees with its teacher on texts that neither was fitted to."""

import numpy as np

from student import counts, embed

PAIRS = 400_000


def neighbors(vectors, k):
    cosines = vectors @ vectors.T
    np.fill_diagonal(cosines, -2.0)
    return np.argsort(-cosines, axis=1, kind="stable")[:, :k]


def agreement(table, lessons, seed=7):
    """Shared top-10 neighbours, how often the teacher's nearest is among the student's ten, rank correlation of cosines."""
    student = embed(counts(lessons.tokens, len(table)), table)
    mine, theirs = neighbors(student, 10), neighbors(lessons.vectors, 10)
    overlap = np.mean([len(np.intersect1d(a, b)) for a, b in zip(mine, theirs)]) / 10
    nearest = np.mean((mine == theirs[:, :1]).any(axis=1))
    return {
        "texts": len(student),
        "overlap_at_10": round(float(overlap), 4),
        "nearest_in_10": round(float(nearest), 4),
        "spearman": round(spearman(student, lessons.vectors, seed), 4),
    }


def spearman(a, b, seed):
    """Spearman's correlation of the cosines of random pairs."""
    rng = np.random.default_rng(seed)
    i, j = rng.integers(len(a), size=(2, PAIRS))
    i, j = i[i != j], j[i != j]
    ranks = [np.argsort(np.argsort(np.einsum("nd,nd->n", v[i], v[j]))) for v in (a, b)]
    return float(np.corrcoef(*ranks)[0, 1])


def retrieval(table, tokenizer, pairs):
    """Share of questions whose passage comes first, and among the first three, of all passages."""
    def vectors(texts):
        ids = [e.ids for e in tokenizer.encode_batch(texts, add_special_tokens=False)]
        return embed(counts(ids, len(table)), table)

    cosines = vectors([q for q, _ in pairs]) @ vectors([p for _, p in pairs]).T
    ranks = (cosines > np.diag(cosines)[:, None]).sum(axis=1)
    misses = [pairs[i][0] for i in np.flatnonzero(ranks > 0)]
    return {"pairs": len(pairs), "top_1": int((ranks == 0).sum()), "top_3": int((ranks < 3).sum()), "not_first": misses}
