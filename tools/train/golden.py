"""Writes what PyTorch computes in float64 from the weights of a model directory, for `mmrun verify`.

The file holds tokens [T] I32, logits [T, vocab] F32 (of the token after each) and greedy [G] I32,
the most likely continuation of the first 32 tokens. Of a memory it holds also reads [windows, L]
I32, 1 where the state asked to read, and as the last token found them pool_count [L] I32, pool.N
[count, S] F32 and importance.N [count] F32, oldest note first.
"""

import argparse
import pathlib

import numpy as np
import torch

import cli
import hf
import kernels

PROMPT = 32


def memory(model):
    """What a golden holds of the memory of the last call's only sequence, and how far from its
    threshold the nearest score was: an engine that rounds more than that may decide otherwise."""
    c, tensors, counts, margin = model.config, {}, [], float("inf")
    for layer, (notes, score) in enumerate(model.trace):
        summaries, importance, taken = (x[0, -1] for x in notes.held())
        tensors[f"pool.{layer}"] = summaries[taken].numpy().astype(np.float32)
        tensors[f"importance.{layer}"] = importance[taken].numpy().astype(np.float32)
        counts.append(int(taken.sum()))
        margin = min(margin, (notes.importance - c.memory_note_threshold).abs().min().item(),
                     (score - c.memory_state_threshold).abs().min().item())
    reads = model.asked()[0].numpy().astype(np.int32)
    return {**tensors, "pool_count": np.array(counts, np.int32), "reads": reads}, margin


@torch.no_grad()
def write(folder, text, count, path):
    """Writes the golden of text, bytes, with count greedy tokens; returns the smallest lead that
    a greedy token's logit had over the second and the margin of the memory's scores, which say
    how safe these choices are."""
    if len(text) < PROMPT:
        raise ValueError(f"the text has {len(text)} bytes, the prompt of the greedy tokens alone takes {PROMPT}")
    model = hf.load(folder, kernels.Torch(), torch.float64)
    tokens = torch.tensor(list(text))[None]
    logits, _ = model(tokens, model.zero_state(1))
    more, margin = memory(model) if hasattr(model, "trace") else ({}, float("inf"))
    said, lead = tokens[:, :PROMPT], float("inf")
    for _ in range(count):  # from the start each time: a memory goes on at a window's end only
        last, _ = model(said, model.zero_state(1))
        best = last[0, -1].topk(2)
        lead = min(lead, (best.values[0] - best.values[1]).item())
        said = torch.cat([said, best.indices[None, :1]], 1)
    hf.save_tensors(path, {"tokens": tokens[0].numpy().astype(np.int32),
                           "logits": logits[0].numpy().astype(np.float32),
                           "greedy": said[0, PROMPT:].numpy().astype(np.int32), **more})
    return lead, margin


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", required=True, help="a model directory, as train.py writes it")
    parser.add_argument("--text", required=True, help="a text file, of which the first bytes are taken")
    parser.add_argument("--bytes", type=cli.positive(int), default=300, help="how many bytes of the text")
    parser.add_argument("--greedy", type=cli.positive(int), default=64, help="how many greedy tokens")
    parser.add_argument("--out", required=True, help="the golden file to write")
    args = parser.parse_args()
    text = pathlib.Path(args.text).read_bytes()[:args.bytes]
    lead, margin = write(args.model, text, args.greedy, args.out)
    print(f"{args.out}: {len(text)} tokens; smallest lead of a greedy token {lead:.4f}"
          + (f"; nearest score to a threshold {margin:.1e}" if margin < 1 else ""))


if __name__ == "__main__":
    cli.run(main)
