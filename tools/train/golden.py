"""Writes what PyTorch computes in float64 from the weights of a model directory, for `mmrun verify`.

The file holds tokens [T] I32, logits [T, vocab] F32 (of the token after each) and greedy [G] I32,
the most likely continuation of the first 32 tokens.
"""

import argparse
import pathlib

import numpy as np
import torch

import cli
import hf
import kernels

PROMPT = 32


@torch.no_grad()
def write(folder, text, count, path):
    """Writes the golden of text, bytes, with count greedy tokens; returns the smallest lead that
    a greedy token's logit had over the second, which says how safe its choice is."""
    if len(text) < PROMPT:
        raise ValueError(f"the text has {len(text)} bytes, the prompt of the greedy tokens alone takes {PROMPT}")
    model = hf.load(folder, kernels.Torch(), torch.float64)
    tokens = torch.tensor(list(text))[None]
    logits, _ = model(tokens, model.zero_state(1))
    greedy, lead = [], float("inf")
    last, state = model(tokens[:, :PROMPT], model.zero_state(1))
    for _ in range(count):
        best = last[0, -1].topk(2)
        lead = min(lead, (best.values[0] - best.values[1]).item())
        greedy.append(best.indices[0].item())
        last, state = model(best.indices[:1, None], state)
    hf.save_tensors(path, {"tokens": tokens[0].numpy().astype(np.int32),
                           "logits": logits[0].numpy().astype(np.float32),
                           "greedy": np.array(greedy, np.int32)})
    return lead


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", required=True, help="a model directory, as train.py writes it")
    parser.add_argument("--text", required=True, help="a text file, of which the first bytes are taken")
    parser.add_argument("--bytes", type=cli.positive(int), default=300, help="how many bytes of the text")
    parser.add_argument("--greedy", type=cli.positive(int), default=64, help="how many greedy tokens")
    parser.add_argument("--out", required=True, help="the golden file to write")
    args = parser.parse_args()
    text = pathlib.Path(args.text).read_bytes()[:args.bytes]
    lead = write(args.model, text, args.greedy, args.out)
    print(f"{args.out}: {len(text)} tokens; smallest lead of a greedy token {lead:.4f}")


if __name__ == "__main__":
    cli.run(main)
