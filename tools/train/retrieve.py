"""Accuracy of a model directory or a checkpoint on the passkey task, by length of the prompt."""

import argparse
import math

import numpy as np
import torch

import cli
import data
import export
import hf
import kernels
import passkey


def wilson(right, trials, z=1.959964):
    """The bounds of Wilson's 95% interval for right of trials."""
    p, n = right / trials, trials
    middle, width = p + z * z / (2 * n), z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return (middle - width) / (1 + z * z / n), (middle + width) / (1 + z * z / n)


class Reads:
    """How often every layer asked to read, over all windows of all calls that it was shown."""

    def __init__(self):
        self.asked, self.windows = 0, 0

    def see(self, model):
        asked = model.asked().float()
        self.asked = self.asked + asked.sum((0, 1))
        self.windows += asked.shape[0] * asked.shape[1]

    def shares(self):
        return (self.asked / self.windows).tolist()


@torch.no_grad()
def accuracy(model, length, depths, trials, seed, text=passkey.GRASS, chunk=1024, batch=32, seen=None):
    """The part of trials whose five digits all come out, for each depth. Greedy decoding says the
    digits just when each is the most likely after the right ones before it, so all are fed. seen, a Reads, is shown every call."""
    found, chunk = [], max(1, chunk // model.window) * model.window
    for i in range(depths):
        rows = []
        for trial in range(trials):
            random = np.random.RandomState([seed, length, i, trial])
            key = passkey.random_key(random)
            asked = passkey.prompt(random, length, key, (i + 0.5) / depths, text)
            rows.append(np.concatenate([asked, passkey.as_tokens(passkey.answer(key))]))
        right = 0
        for rows in torch.from_numpy(np.stack(rows)).split(batch):
            state, digits = model.zero_state(len(rows)), []
            for at in range(0, rows.shape[1] - 1, chunk):
                logits, state = model(rows[:, at:min(at + chunk, rows.shape[1] - 1)], state)
                if seen:
                    seen.see(model)
                first = max(0, length - at)
                if first < logits.shape[1]:
                    digits.append(logits[:, first:].argmax(-1))
            right += (torch.cat(digits, 1) == rows[:, length + 1:]).all(1).sum().item()
        found.append(right / trials)
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--model", help="a model directory, as train.py writes it")
    source.add_argument("--checkpoint", help="a file that keeps a run's progress")
    parser.add_argument("--lengths", default="128,256,512,1024", help="tokens of a prompt")
    parser.add_argument("--depths", type=cli.positive(int), default=5, help="places of the key")
    parser.add_argument("--trials", type=cli.positive(int), default=10, help="prompts for each length and depth")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--filler", help="a folder of .txt files to hide the key in, instead of the standard sentences")
    parser.add_argument("--reads", action="store_true", help="also print in what part of the windows each layer asks to read")
    parser.add_argument("--kernels", choices=("c", "torch"), default="c")
    args = parser.parse_args()
    kind = kernels.make(args.kernels)
    model = hf.load(args.model, kind) if args.model else export.load(args.checkpoint, kind)
    if args.reads and not hasattr(model, "asked"):
        raise ValueError(f"{args.model or args.checkpoint}: has no memory whose --reads could be counted")
    text = np.concatenate(data.read_files(args.filler)) if args.filler else passkey.GRASS
    for length in map(int, args.lengths.split(",")):
        seen = Reads() if args.reads else None
        found = accuracy(model, length, args.depths, args.trials, args.seed, text, seen=seen)
        trials = args.depths * args.trials
        right = round(sum(found) * args.trials)
        low, high = wilson(right, trials)
        print(f"{length:7d} tokens  {100 * right / trials:5.1f}%  {right} of {trials} ({100 * low:.1f}-{100 * high:.1f})"
              "  by depth " + " ".join(f"{100 * x:5.1f}" for x in found), flush=True)
        if seen:
            print("  reads by layer, % " + " ".join(f"{100 * x:.0f}" for x in seen.shares()), flush=True)


if __name__ == "__main__":
    cli.run(main)
