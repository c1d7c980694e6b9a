"""The files of a Hugging Face model directory: safetensors, config.json, tokenizer.json."""

import json
import os
import pathlib

import numpy as np
import torch

from data import END
from memory import MemMamba, MemoryConfig
from model import Config, Mamba

KINDS = {"mamba": (Config, Mamba), "memmamba": (MemoryConfig, MemMamba)}
DTYPES = {"F32": np.dtype("<f4"), "F16": np.dtype("<f2"), "I32": np.dtype("<i4"), "U8": np.dtype("u1")}


def write_file(path, data):
    """Writes data under a temporary name in the same folder and renames it."""
    path = pathlib.Path(path)
    work = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        work.write_bytes(data)
        os.replace(work, path)
    finally:
        work.unlink(missing_ok=True)


def save_tensors(path, tensors, metadata=None):
    """Writes tensors, a dict of numpy arrays (float16, float32, int32 or uint8), as a safetensors file."""
    names = {dtype: name for name, dtype in DTYPES.items()}
    header, parts, at = {}, [], 0
    if metadata:
        header["__metadata__"] = metadata
    for name in sorted(tensors):
        x = np.ascontiguousarray(tensors[name])
        header[name] = {"dtype": names[x.dtype], "shape": list(x.shape), "data_offsets": [at, at + x.nbytes]}
        parts.append(x.tobytes())
        at += x.nbytes
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    write_file(path, b"".join([len(text).to_bytes(8, "little"), text, *parts]))


def load_tensors(path):
    """The tensors of a safetensors file, as a dict of numpy arrays."""
    data = pathlib.Path(path).read_bytes()
    size = int.from_bytes(data[:8], "little")
    if len(data) < 8 or size > len(data) - 8:
        raise ValueError(f"{path}: the header does not fit into the file")
    header, body, tensors = json.loads(data[8:8 + size]), data[8 + size:], {}
    header.pop("__metadata__", None)
    for name, entry in header.items():
        if entry["dtype"] not in DTYPES:
            raise ValueError(f"{path}: {name}: dtype {entry['dtype']} is not one of {', '.join(DTYPES)}")
        first, last = entry["data_offsets"]
        if not 0 <= first <= last <= len(body):
            raise ValueError(f"{path}: {name}: offsets {first} to {last} lie outside the file")
        tensors[name] = np.frombuffer(body[first:last], DTYPES[entry["dtype"]]).reshape(entry["shape"])
    return tensors


def byte_symbols():
    """GPT-2's printable character for each of the 256 bytes."""
    printable = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    others = (b for b in range(256) if b not in printable)
    symbols = {b: chr(b) for b in printable}
    symbols.update({b: chr(256 + i) for i, b in enumerate(others)})
    return [symbols[b] for b in range(256)]


def tokenizer():
    """A byte-level BPE without merges: token b is the byte b, token 256 <|endoftext|>."""
    level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True}
    end = {"id": END, "special": True, "content": "<|endoftext|>", "single_word": False,
           "lstrip": False, "rstrip": False, "normalized": False}
    return {
        "version": "1.0", "truncation": None, "padding": None, "added_tokens": [end],
        "normalizer": {"type": "NFC"}, "pre_tokenizer": level, "post_processor": level, "decoder": level,
        "model": {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None,
                  "end_of_word_suffix": None, "fuse_unk": False,
                  "vocab": {s: b for b, s in enumerate(byte_symbols())}, "merges": []},
    }


def config_json(c):
    memory = {k: v for k, v in vars(c).items() if k not in Config.__dataclass_fields__}
    name, kind = ("MemMambaForCausalLM", "memmamba") if memory else ("MambaForCausalLM", "mamba")
    return {
        "architectures": [name], "model_type": kind,
        "vocab_size": c.vocab_size, "hidden_size": c.hidden_size, "intermediate_size": c.intermediate_size,
        "num_hidden_layers": c.num_hidden_layers, "state_size": c.state_size, "conv_kernel": c.conv_kernel,
        "expand": c.expand, "time_step_rank": c.time_step_rank, "layer_norm_epsilon": c.layer_norm_epsilon,
        "hidden_act": "silu", "use_bias": False, "use_conv_bias": True, "residual_in_fp32": True,
        "tie_word_embeddings": True, "bos_token_id": END, "eos_token_id": END, "pad_token_id": END,
        "torch_dtype": "float16", **memory,
    }


def export(model, folder):
    """Writes model as a Hugging Face directory, its weights in float16. config.json comes last,
    so that a directory that has one is whole."""
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {}
    for name, p in model.state_dict().items():
        with np.errstate(over="ignore"):
            x = p.detach().cpu().numpy().astype(np.float16)
        if not np.isfinite(x).all():
            raise ValueError(f"{name}: a weight is not finite in float16")
        tensors[name] = x
    save_tensors(folder / "model.safetensors", tensors, {"format": "pt"})
    for name, value in (("tokenizer.json", tokenizer()), ("config.json", config_json(model.config))):
        write_file(folder / name, (json.dumps(value, indent=2, ensure_ascii=False) + "\n").encode())


def load(folder, kernels, dtype=torch.float32):
    """The model of a Hugging Face directory that export wrote, its weights widened to dtype."""
    folder = pathlib.Path(folder)
    keys = json.loads((folder / "config.json").read_text())
    if keys.get("model_type") not in KINDS:
        raise ValueError(f"{folder}/config.json: model_type is {keys.get('model_type')!r}, not one of {', '.join(KINDS)}")
    config, kind = KINDS[keys["model_type"]]
    for name, want in (("tie_word_embeddings", True), ("use_bias", False), ("use_conv_bias", True)):
        if keys.get(name, want) != want:
            raise ValueError(f"{folder}/config.json: {name} is {keys[name]}, only {want} is supported")
    fields = config.__dataclass_fields__
    model = kind(config(**{k: v for k, v in keys.items() if k in fields}), kernels).to(dtype)
    tensors = load_tensors(folder / "model.safetensors")
    got, want = ({k: tuple(x.shape) for k, x in t.items()} for t in (tensors, model.state_dict()))
    for name in sorted({*got, *want}):
        if got.get(name) != want.get(name):
            raise ValueError(f"{folder}/model.safetensors: {name}: shape is {got.get(name)}, not {want.get(name)}")
    model.load_state_dict({k: torch.from_numpy(v.astype(np.float32)) for k, v in tensors.items()})
    return model.eval()
