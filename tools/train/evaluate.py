"""Bits per byte of a model directory on a folder of text files.

Every file is read in one go from an empty state, <|endoftext|> first, and every byte of it counts.
"""

import argparse
import math

import torch
import torch.nn.functional as F

import cli
import data
import hf
import kernels


@torch.no_grad()
def bits_per_byte(model, texts, chunk=1024):
    """The mean of -log2 p(byte | all bytes before it in its file)."""
    chunk = max(1, chunk // model.window) * model.window
    device, nats, count = model.backbone.embeddings.weight.device, 0.0, 0
    for text in texts:
        tokens, state = torch.from_numpy(text).to(device)[None], model.zero_state(1)
        for at in range(0, len(text) - 1, chunk):
            target = tokens[0, at + 1:at + 1 + chunk]
            logits, state = model(tokens[:, at:at + len(target)], state)
            nats += F.cross_entropy(logits[0], target, reduction="sum").item()
        count += len(text) - 1
    return nats / count / math.log(2)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", required=True, help="a model directory, as train.py writes it")
    parser.add_argument("--valid", required=True, help="a folder of .txt files")
    parser.add_argument("--kernels", choices=("c", "torch"), default="torch")
    args = parser.parse_args()
    texts = data.read_files(args.valid)
    bits = bits_per_byte(hf.load(args.model, kernels.make(args.kernels)), texts)
    print(f"{bits:.4f} bits per byte over {sum(map(len, texts)) - len(texts)} bytes")


if __name__ == "__main__":
    cli.run(main)
