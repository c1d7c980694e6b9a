"""Trains a byte-level Mamba on a folder of text files and writes a Hugging Face directory.

The learning rate warms up and then falls along a cosine, over --steps, or over --minutes of
training by the clock. A run that is stopped goes on from its checkpoint with --resume. Gradients
stop at the borders of a segment (--length), the state goes on through a piece (--segments).
"""

import argparse
import math
import os
import pathlib
import time

import numpy as np
import torch
import torch.nn.functional as F

import cli
import data
import evaluate
import hf
import kernels
from model import Config, Mamba, optimizer


def arguments(argv=None):
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--data", required=True, help="a folder of .txt files to train on")
    p.add_argument("--valid", help="a folder of .txt files to measure bits per byte on")
    p.add_argument("--out", required=True, help="the model directory to write at the end")
    p.add_argument("--checkpoint", required=True, help="the file that keeps a run's progress")
    p.add_argument("--resume", action="store_true", help="go on from the checkpoint")
    budget = p.add_mutually_exclusive_group(required=True)
    budget.add_argument("--steps", type=cli.positive(int), help="how many steps to train")
    budget.add_argument("--minutes", type=cli.positive(float), help="how long to train")
    p.add_argument("--hidden-size", type=cli.positive(int), default=160)
    p.add_argument("--layers", type=cli.positive(int), default=8)
    p.add_argument("--state-size", type=cli.positive(int), default=16)
    p.add_argument("--batch", type=cli.positive(int), default=16, help="sequences per step")
    p.add_argument("--length", type=cli.positive(int), default=256, help="tokens of a segment")
    p.add_argument("--segments", type=cli.positive(int), default=32, help="segments of a piece")
    p.add_argument("--lr", type=cli.positive(float), default=4e-3, help="the highest learning rate")
    p.add_argument("--warmup", type=cli.positive(int), default=200, help="steps until the highest learning rate")
    p.add_argument("--final-lr", type=float, default=0.02, help="the last learning rate, as a part of --lr")
    p.add_argument("--decay", type=float, default=0.1, help="AdamW's weight decay, on projections only")
    p.add_argument("--clip", type=cli.positive(float), default=1.0, help="the highest norm of a gradient")
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--eval-every", type=cli.positive(int), default=1000, help="steps between two validations")
    p.add_argument("--save-minutes", type=cli.positive(float), default=3, help="minutes between two checkpoints")
    p.add_argument("--log-every", type=cli.positive(int), default=50, help="steps between two lines of progress")
    p.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    p.add_argument("--kernels", choices=("c", "torch"), help="c on a CPU, torch elsewhere, unless told")
    args = p.parse_args(argv)
    args.kernels = args.kernels or ("c" if args.device == "cpu" else "torch")
    return args


class Run:
    """A model in training: everything that a checkpoint keeps, and the way from step to step."""

    def __init__(self, args):
        self.args, self.step, self.seconds = args, 0, 0.0
        torch.manual_seed(args.seed)
        config = Config(hidden_size=args.hidden_size, num_hidden_layers=args.layers, state_size=args.state_size)
        self.model = Mamba(config, kernels.make(args.kernels)).to(args.device)
        self.optimizer = optimizer(self.model, args.decay)
        text = np.concatenate(data.read_files(args.data))
        self.batches = data.Batches(text, args.batch, args.length, args.segments, args.seed)
        self.state = self.model.zero_state(args.batch)

    def progress(self):
        """The part of the budget that is spent, 0 to 1."""
        a = self.args
        return min(1.0, self.step / a.steps if a.steps is not None else self.seconds / (60 * a.minutes))

    def rate(self):
        """The learning rate of the next step."""
        a = self.args
        cosine = (1 + math.cos(math.pi * self.progress())) / 2
        return a.lr * min(1.0, (self.step + 1) / a.warmup) * (a.final_lr + (1 - a.final_lr) * cosine)

    def advance(self):
        """Trains one step; returns its loss in nats per token."""
        started, device = time.monotonic(), self.args.device
        tokens, targets, keep = (x.to(device) for x in self.batches(self.step))
        for group in self.optimizer.param_groups:
            group["lr"] = self.rate()
        self.optimizer.zero_grad(set_to_none=True)
        state = [(before * keep, h * keep) for before, h in self.state]
        logits, self.state = self.model(tokens, state)
        loss = F.cross_entropy(logits.flatten(0, 1), targets.flatten())
        if not torch.isfinite(loss):
            raise ValueError(f"step {self.step}: the loss is {loss.item()}: a lower --lr may help")
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.args.clip, error_if_nonfinite=True)
        self.optimizer.step()
        self.step += 1
        loss = loss.item()
        self.seconds += time.monotonic() - started
        return loss

    def save(self):
        path = pathlib.Path(self.args.checkpoint)
        path.parent.mkdir(parents=True, exist_ok=True)
        work = path.with_name(f".{path.name}.{os.getpid()}")
        torch.save({"config": vars(self.model.config), "model": self.model.state_dict(),
                    "optimizer": self.optimizer.state_dict(), "state": self.state,
                    "step": self.step, "seconds": self.seconds}, work)
        os.replace(work, path)

    def load(self):
        kept = torch.load(self.args.checkpoint, map_location=self.args.device)
        if kept["config"] != vars(self.model.config):
            raise ValueError(f"{self.args.checkpoint}: made with {kept['config']}, not {vars(self.model.config)}")
        batch = kept["state"][0][0].shape[0]
        if batch != self.args.batch:
            raise ValueError(f"{self.args.checkpoint}: made with --batch {batch}, not {self.args.batch}")
        self.model.load_state_dict(kept["model"])
        self.optimizer.load_state_dict(kept["optimizer"])
        self.state, self.step, self.seconds = kept["state"], kept["step"], kept["seconds"]


def train(run, say=print):
    """Trains to the end of the budget; returns the loss of every step."""
    a, losses, saved = run.args, [], time.monotonic()
    valid = data.read_files(a.valid) if a.valid else None
    while run.progress() < 1:
        losses.append(run.advance())
        if run.step % a.log_every == 0:
            recent = losses[-a.log_every:]
            say(f"step {run.step}  {run.seconds / 60:.1f} min  {run.step * a.batch * a.length / 1e6:.2f}M bytes"
                f"  {run.step * a.batch * a.length / run.seconds:.0f} bytes/s  lr {run.rate():.2e}"
                f"  train {sum(recent) / len(recent) / math.log(2):.4f} bits/byte")
        if valid and run.step % a.eval_every == 0:
            say(f"step {run.step}  valid {evaluate.bits_per_byte(run.model, valid):.4f} bits/byte")
        if time.monotonic() - saved > 60 * a.save_minutes:
            run.save()
            saved = time.monotonic()
    run.save()
    if valid:
        say(f"step {run.step}  valid {evaluate.bits_per_byte(run.model, valid):.4f} bits/byte at the end")
    return losses


def main():
    args = arguments()
    kernels.keep_freed_memory()
    run = Run(args)
    if args.resume:
        run.load()
    parameters = sum(p.numel() for p in run.model.parameters())
    print(f"{parameters} parameters, {len(run.batches.text)} tokens of text, from step {run.step}", flush=True)
    train(run, lambda line: print(line, flush=True))
    hf.export(run.model, args.out)
    print(f"{args.out}: written after {run.step} steps, {run.seconds / 60:.1f} minutes", flush=True)


if __name__ == "__main__":
    cli.run(main)
