"""Writes a small random Transformer of GPT-NeoX's kind (Pythia's), as a Hugging Face directory, with
golden.safetensors: what NumPy computes of it in float64, for `mmrun verify`.

The arithmetic is that of Hugging Face's GPTNeoXForCausalLM, token after token over all that came
before, without a cache. The golden holds tokens [T] I32, logits [T, vocab] F32 (of the token after
each) and greedy [G] I32, the most likely continuation of the first 32 tokens.
"""

import argparse
import json
import math
import pathlib

import numpy as np

import cli
import hf

PROMPT = 32


def layer_norm(x, weight, bias, eps):
    centered = x - x.mean(-1, keepdims=True)
    return centered / np.sqrt((centered ** 2).mean(-1, keepdims=True) + eps) * weight + bias


def gelu(x):
    return x * 0.5 * (1 + np.vectorize(math.erf)(x / math.sqrt(2)))


def rotary(x, count, base):
    """x is [T, heads, D]; the first count numbers of each head are turned by position."""
    angles = np.arange(len(x))[:, None] / base ** (np.arange(0, count, 2) / count)
    cos, sin = (np.concatenate([f(angles)] * 2, -1)[:, None] for f in (np.cos, np.sin))
    turning, rest = x[..., :count], x[..., count:]
    halves = np.split(turning, 2, -1)
    return np.concatenate([turning * cos + np.concatenate([-halves[1], halves[0]], -1) * sin, rest], -1)


def attention(x, w, at, c):
    tokens, heads = len(x), c["num_attention_heads"]
    size = x.shape[1] // heads
    qkv = x @ w[at + "query_key_value.weight"].T + w.get(at + "query_key_value.bias", 0)
    q, k, v = np.split(qkv.reshape(tokens, heads, 3 * size), 3, -1)
    count = int(size * c["rotary_pct"])
    q, k = (rotary(y, count, c["rotary_emb_base"]) for y in (q, k))
    scores = np.einsum("ihd,jhd->hij", q, k) / math.sqrt(size)
    scores[:, np.triu(np.ones((tokens, tokens), bool), 1)] = -np.inf
    weights = np.exp(scores - scores.max(-1, keepdims=True))
    y = np.einsum("hij,jhd->ihd", weights / weights.sum(-1, keepdims=True), v)
    return y.reshape(tokens, -1) @ w[at + "dense.weight"].T + w.get(at + "dense.bias", 0)


def mlp(x, w, at):
    y = gelu(x @ w[at + "dense_h_to_4h.weight"].T + w[at + "dense_h_to_4h.bias"])
    return y @ w[at + "dense_4h_to_h.weight"].T + w[at + "dense_4h_to_h.bias"]


def logits(tokens, w, c):
    """The logits after each of tokens, [T, vocab], in float64."""
    def norm(x, name):
        return layer_norm(x, w[name + ".weight"], w[name + ".bias"], c["layer_norm_eps"])

    r = w["gpt_neox.embed_in.weight"][tokens]
    for n in range(c["num_hidden_layers"]):
        at = f"gpt_neox.layers.{n}."
        a = attention(norm(r, at + "input_layernorm"), w, at + "attention.", c)
        if c["use_parallel_residual"]:
            r = r + a + mlp(norm(r, at + "post_attention_layernorm"), w, at + "mlp.")
        else:
            r = r + a
            r = r + mlp(norm(r, at + "post_attention_layernorm"), w, at + "mlp.")
    head = "gpt_neox.embed_in.weight" if c["tie_word_embeddings"] else "embed_out.weight"
    return norm(r, "gpt_neox.final_layer_norm") @ w[head].T


def random_weights(c, seed):
    """Weights with which activations and logits are of a few units."""
    random = np.random.default_rng(seed)
    d, inner, vocab = c["hidden_size"], c["intermediate_size"], c["vocab_size"]
    w = {}

    def matrix(name, rows, cols, gain, bias=None):
        w[name + ".weight"] = random.normal(0, gain / math.sqrt(cols), (rows, cols))
        if bias is not None:
            w[name + ".bias"] = random.normal(0, bias, rows)

    def norm(name):
        w[name + ".weight"], w[name + ".bias"] = random.normal(1, 0.2, d), random.normal(0, 0.2, d)

    matrix("gpt_neox.embed_in", vocab, d, 2 if c["tie_word_embeddings"] else math.sqrt(d))
    if not c["tie_word_embeddings"]:
        matrix("embed_out", vocab, d, 2)
    for n in range(c["num_hidden_layers"]):
        at = f"gpt_neox.layers.{n}."
        norm(at + "input_layernorm")
        norm(at + "post_attention_layernorm")
        biased = 0.3 if c["attention_bias"] else None
        matrix(at + "attention.query_key_value", 3 * d, d, 1.5, biased)
        matrix(at + "attention.dense", d, d, 1, biased)
        matrix(at + "mlp.dense_h_to_4h", inner, d, 1, 0.3)
        matrix(at + "mlp.dense_4h_to_h", d, inner, 1, 0.3)
    norm("gpt_neox.final_layer_norm")
    return w


def buffers(c):
    """What older checkpoints keep beside the weights, and nobody needs."""
    longest, size = c["max_position_embeddings"], c["hidden_size"] // c["num_attention_heads"]
    count = int(size * c["rotary_pct"])
    for n in range(c["num_hidden_layers"]):
        at = f"gpt_neox.layers.{n}.attention."
        yield at + "bias", np.tril(np.ones((1, 1, longest, longest), np.uint8))
        yield at + "masked_bias", np.array(-1e9, np.float32)
        yield at + "rotary_emb.inv_freq", (c["rotary_emb_base"] ** (-np.arange(0, count, 2) / count)).astype(np.float32)


def write(folder, c, dtype, seed, tokens, count, with_buffers):
    """Writes the directory and returns the smallest lead that a greedy token's logit has over the second."""
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    kept = {name: x.astype(dtype) for name, x in random_weights(c, seed).items()}
    w = {name: x.astype(np.float64) for name, x in kept.items()}
    said, lead = list(tokens[:PROMPT]), math.inf
    for _ in range(count):
        last = logits(np.array(said), w, c)[-1]
        second, best = np.sort(last)[-2:]
        lead = min(lead, best - second)
        said.append(int(last.argmax()))
    hf.save_tensors(folder / "golden.safetensors", {
        "tokens": tokens.astype(np.int32), "logits": logits(tokens, w, c).astype(np.float32),
        "greedy": np.array(said[PROMPT:], np.int32)})
    hf.save_tensors(folder / "model.safetensors", kept | dict(buffers(c) if with_buffers else []), {"format": "pt"})
    hf.write_file(folder / "config.json", (json.dumps(c, indent=2) + "\n").encode())
    return lead


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    number = cli.positive(int)
    parser.add_argument("--out", required=True, help="the directory to write")
    parser.add_argument("--layers", type=number, default=3)
    parser.add_argument("--hidden", type=number, default=48)
    parser.add_argument("--heads", type=number, default=3)
    parser.add_argument("--inner", type=number, help="size of the MLP, 4 hidden sizes if absent")
    parser.add_argument("--vocab", type=number, default=131)
    parser.add_argument("--positions", type=number, default=256, help="tokens of a sequence at the most")
    parser.add_argument("--rotary", type=float, default=0.25, help="share of a head that is turned")
    parser.add_argument("--base", type=float, default=10000, help="of the turns' speeds")
    parser.add_argument("--sequential", action="store_true", help="MLP after attention, not beside it")
    parser.add_argument("--tied", action="store_true", help="the head is the embedding")
    parser.add_argument("--no-bias", action="store_true", help="no biases in the attention")
    parser.add_argument("--buffers", action="store_true", help="with masks and speeds, as older checkpoints")
    parser.add_argument("--rope-parameters", action="store_true", help="base and share as newer configs have them")
    parser.add_argument("--dtype", choices=["float32", "float16"], default="float32")
    parser.add_argument("--tokens", type=number, default=150)
    parser.add_argument("--greedy", type=number, default=24)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args(argv)
    c = {
        "architectures": ["GPTNeoXForCausalLM"], "model_type": "gpt_neox", "vocab_size": args.vocab,
        "hidden_size": args.hidden, "num_hidden_layers": args.layers, "num_attention_heads": args.heads,
        "intermediate_size": args.inner or 4 * args.hidden, "hidden_act": "gelu", "rotary_pct": args.rotary,
        "rotary_emb_base": args.base, "max_position_embeddings": args.positions, "layer_norm_eps": 1e-5,
        "use_parallel_residual": not args.sequential, "tie_word_embeddings": args.tied,
        "attention_bias": not args.no_bias, "bos_token_id": 0, "eos_token_id": 0, "torch_dtype": args.dtype,
    }
    if args.hidden % args.heads:
        parser.error(f"--hidden {args.hidden} is no multiple of --heads {args.heads}")
    if not PROMPT <= args.tokens <= args.positions:
        parser.error(f"--tokens {args.tokens} is not within {PROMPT} to --positions {args.positions}")
    tokens = np.random.default_rng(args.seed + 1).integers(0, args.vocab, args.tokens)
    lead = write(args.out, c, np.dtype(args.dtype), args.seed, tokens, args.greedy, args.buffers)
    if args.rope_parameters:
        newer = {k: v for k, v in c.items() if k not in ("rotary_pct", "rotary_emb_base")}
        newer["rope_parameters"] = {"rope_type": "default", "rope_theta": args.base, "partial_rotary_factor": args.rotary}
        hf.write_file(pathlib.Path(args.out) / "config.json", (json.dumps(newer, indent=2) + "\n").encode())
    print(f"{args.out}: {args.tokens} tokens; smallest lead of a greedy token {lead:.4f}")


if __name__ == "__main__":
    cli.run(main)
