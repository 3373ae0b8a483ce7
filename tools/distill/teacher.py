"""The teacher: all-MiniLM-L6-v2 as an ONNX graph, built here from its safetensors and run by onnxruntime."""

from pathlib import Path

import numpy as np
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import load_file

LAYERS, HEADS, WIDTH = 6, 12, 384
MAX_TOKENS = 256  # of sentence_bert_config.json, [CLS] and [SEP] included
TOKENS_PER_BATCH = 2048  # keeps the activations of one batch in the L2/L3 caches


class Graph:
    """Nodes and weights of an ONNX graph; every method returns the name of its output."""

    def __init__(self, weights):
        self.nodes, self.initializers, self.weights = [], [], weights

    def const(self, name, array):
        self.initializers.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def op(self, kind, inputs, **attributes):
        out = f"t{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [out], **attributes))
        return out

    def weight(self, name):
        return self.const(name, self.weights[name])

    def linear(self, x, name):
        matrix = self.const(f"{name}.weight.T", self.weights[f"{name}.weight"].T)
        return self.op("Add", [self.op("MatMul", [x, matrix]), self.weight(f"{name}.bias")])

    def norm(self, x, name):
        scale, bias = self.weight(f"{name}.weight"), self.weight(f"{name}.bias")
        return self.op("LayerNormalization", [x, scale, bias], axis=-1, epsilon=1e-12)

    def heads(self, x, perm):
        return self.op("Transpose", [self.op("Reshape", [x, "split"])], perm=perm)


def build(folder):
    """The serialized graph: token ids (batch x length, nothing padded) to the mean of the last layer's rows."""
    g = Graph(load_file(Path(folder) / "model.safetensors"))
    g.const("split", np.array([0, 0, HEADS, WIDTH // HEADS], dtype=np.int64))
    g.const("join", np.array([0, 0, WIDTH], dtype=np.int64))
    g.const("scale", np.float32((WIDTH // HEADS) ** -0.5))
    words = g.op("Gather", [g.weight("embeddings.word_embeddings.weight"), "ids"])
    places = g.op("Gather", [g.weight("embeddings.position_embeddings.weight"), "places"])
    first = g.const("first_type", g.weights["embeddings.token_type_embeddings.weight"][0])
    x = g.norm(g.op("Add", [g.op("Add", [words, places]), first]), "embeddings.LayerNorm")
    for layer in range(LAYERS):
        x = block(g, x, f"encoder.layer.{layer}")
    g.nodes.append(helper.make_node("ReduceMean", [x, g.const("axes", np.array([1], dtype=np.int64))], ["mean"], keepdims=0))
    graph = helper.make_graph(
        g.nodes,
        "minilm",
        [
            helper.make_tensor_value_info("ids", TensorProto.INT64, ["n", "t"]),
            helper.make_tensor_value_info("places", TensorProto.INT64, ["t"]),
        ],
        [helper.make_tensor_value_info("mean", TensorProto.FLOAT, ["n", WIDTH])],
        g.initializers,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9)
    return model.SerializeToString()


def block(g, x, name):
    """One transformer layer of BERT."""
    q, k, v = (g.linear(x, f"{name}.attention.self.{part}") for part in ("query", "key", "value"))
    q = g.op("Mul", [g.heads(q, [0, 2, 1, 3]), "scale"])
    scores = g.op("MatMul", [q, g.heads(k, [0, 2, 3, 1])])
    mixed = g.op("MatMul", [g.op("Softmax", [scores], axis=-1), g.heads(v, [0, 2, 1, 3])])
    joined = g.op("Reshape", [g.op("Transpose", [mixed], perm=[0, 2, 1, 3]), "join"])
    attended = g.linear(joined, f"{name}.attention.output.dense")
    x = g.norm(g.op("Add", [x, attended]), f"{name}.attention.output.LayerNorm")
    hidden = g.op("Gelu", [g.linear(x, f"{name}.intermediate.dense")])
    return g.norm(g.op("Add", [x, g.linear(hidden, f"{name}.output.dense")]), f"{name}.output.LayerNorm")


class Teacher:
    """Sentence vectors of all-MiniLM-L6-v2, from the folder that holds its model.safetensors."""

    def __init__(self, folder, threads=1):
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        self.session = ort.InferenceSession(build(folder), options, providers=["CPUExecutionProvider"])

    def encode(self, sequences, report=lambda done, total: None):
        """Unit vectors (n x 384, float32) of token id sequences that carry their [CLS] and [SEP].

        Sequences of one length go through together, so nothing is ever padded.
        """
        lengths = np.array([len(s) for s in sequences])
        out = np.empty((len(sequences), WIDTH), dtype=np.float32)
        done = 0
        for length in np.unique(lengths):
            rows = np.flatnonzero(lengths == length)
            for part in np.array_split(rows, -(-len(rows) * length // TOKENS_PER_BATCH)):
                if len(part) == 0:
                    continue
                ids = np.array([sequences[i] for i in part], dtype=np.int64)
                places = np.arange(length, dtype=np.int64)
                out[part] = self.session.run(None, {"ids": ids, "places": places})[0]
                done += ids.size
                report(done, int(lengths.sum()))
        return out / np.linalg.norm(out, axis=1, keepdims=True)
