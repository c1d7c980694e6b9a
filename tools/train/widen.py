"""The same function in wider rows: widen.py MODEL OUT.

A plain Mamba whose rows fill no blocks of 256 becomes one whose rows do. The residual stream is padded with zeros
and turned by a random rotation, which RMSNorm does not see once its weights are in the matrices behind it, and
channels of zeros stand beside the inner ones.
"""

import json
import pathlib
import shutil
import struct
import sys

import numpy as np

HIDDEN, INNER = 256, 512


def read(path):
    """The tensors of a safetensors file."""
    raw = path.read_bytes()
    size = struct.unpack("<Q", raw[:8])[0]
    tensors = {}
    for name, told in json.loads(raw[8:8 + size]).items():
        if name != "__metadata__":
            start, end = (8 + size + at for at in told["data_offsets"])
            kind = {"F16": np.float16, "F32": np.float32}[told["dtype"]]
            tensors[name] = np.frombuffer(raw[start:end], kind).astype(np.float64).reshape(told["shape"])
    return tensors


def write(path, tensors):
    """Writes tensors as F32."""
    header, data = {}, b""
    for name in sorted(tensors):
        part = tensors[name].astype(np.float32).tobytes()
        header[name] = {"dtype": "F32", "shape": list(tensors[name].shape), "data_offsets": [len(data), len(data) + len(part)]}
        data += part
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


def more(w, axis=0):
    """w with channels of zeros."""
    pad = [(0, 0)] * w.ndim
    pad[axis] = (0, INNER - w.shape[axis])
    return np.pad(w, pad)


def widen(config, old):
    """The config and the tensors of the wide model."""
    hidden, inner = config["hidden_size"], config["intermediate_size"]
    turn, _ = np.linalg.qr(np.random.default_rng(1).standard_normal((HIDDEN, HIDDEN)))
    scale = np.sqrt(hidden / HIDDEN)  # the mean square is of more numbers now

    def reading(w):
        return np.pad(w, ((0, 0), (0, HIDDEN - hidden))) @ turn

    embeddings = old["backbone.embeddings.weight"]
    new = {"backbone.embeddings.weight": reading(embeddings), "backbone.norm_f.weight": np.ones(HIDDEN),
           "lm_head.weight": reading(embeddings * old["backbone.norm_f.weight"] * scale)}
    for layer in range(config["num_hidden_layers"]):
        norm, mixer = f"backbone.layers.{layer}.norm.weight", f"backbone.layers.{layer}.mixer."
        new[norm] = np.ones(HIDDEN)
        both = reading(old[mixer + "in_proj.weight"] * old[norm] * scale)
        new[mixer + "in_proj.weight"] = np.concatenate([more(both[:inner]), more(both[inner:])])
        for name in "conv1d.weight", "conv1d.bias", "dt_proj.weight", "dt_proj.bias", "A_log", "D":
            new[mixer + name] = more(old[mixer + name])
        new[mixer + "x_proj.weight"] = more(old[mixer + "x_proj.weight"], 1)
        out = more(old[mixer + "out_proj.weight"], 1)
        new[mixer + "out_proj.weight"] = turn.T @ np.pad(out, ((0, HIDDEN - hidden), (0, 0)))
    eps = config["layer_norm_epsilon"] * hidden / HIDDEN
    return config | {"hidden_size": HIDDEN, "intermediate_size": INNER, "tie_word_embeddings": False,
                     "layer_norm_epsilon": eps, "torch_dtype": "float32"}, new


if __name__ == "__main__":
    source, target = map(pathlib.Path, sys.argv[1:3])
    config, tensors = widen(json.loads((source / "config.json").read_text()), read(source / "model.safetensors"))
    target.mkdir()
    (target / "config.json").write_text(json.dumps(config, indent=2))
    write(target / "model.safetensors", tensors)
    shutil.copy(source / "tokenizer.json", target)
