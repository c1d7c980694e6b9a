"""Trains a byte-level MemMamba, or its twin without memory, on books mixed with passkeys.

A step takes --tokens tokens in sequences of one length. The lengths of --lengths come one after
another, each as soon as a digit of a first answer costs less than --grow-below at the one before;
shorter ones stay in the mixture. Every sequence starts from nothing and gradients reach through
all of it. In a part of the sequences (1 - --whole) Mamba's state is dropped where windows begin,
with the probability --drop: then what was noted is all that is left of what was read before.
With --carry a part of the steps begins with the pools and the state that thousands of tokens of a
book have left (lanes.py), and with --overflow-price a layer pays for notes in books beyond the
share that a pool can hold. With --reads every layer's score of the state is made to spread over
windows, and its bias keeps the part of windows that read between two bounds. The twin's state is never dropped, for it has nothing else; all the rest is the same for both.
"""

import argparse
import csv
import io
import math
import os
import pathlib
import signal
import sys
import time

import numpy as np
import torch
import torch.nn.functional as F

import cli
import data
import deepen
import hf
import kernels
import lanes
import passkey
import reads
import tasks
from memory import MemMamba, MemoryConfig
from model import Config, Mamba, optimizer

# What a target counts for in the loss, the mean over all targets of its kind.
PARTS = {"text": (passkey.TEXT, 1.0), "copy": (passkey.COPY, 0.3),
         "answer": (passkey.ANSWER, 1.0), "again": (passkey.AGAIN, 0.5),
         "fact": (tasks.FACT, 1.0), "repeat": (tasks.REPEAT, 0.5)}
COLUMNS = ("step", "minutes", "length", "text", "copy", "answer", "again", "notes", "reads", "fact", "repeat", "books")
UNKNOWN = math.log(10)  # nats that a digit costs one who has read nothing


def lengths(text):
    """An argparse type: whole numbers from shorter to longer, separated by commas."""
    found = [int(n) for n in text.split(",")]
    if found != sorted(set(found)) or found[0] < 1:
        raise ValueError
    return found


def bounds(text):
    """An argparse type: two shares, the lower one first, separated by a comma."""
    low, high = map(float, text.split(","))
    if not 0 <= low < high <= 1:
        raise ValueError
    return low, high


def arguments(argv=None):
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--data", required=True, help="a folder of .txt files to train on")
    p.add_argument("--out", required=True, help="the model directory to write at the end")
    p.add_argument("--checkpoint", required=True, help="the file that keeps a run's progress; .csv beside it, its curve")
    p.add_argument("--resume", action="store_true", help="go on from the checkpoint")
    p.add_argument("--from", dest="source", metavar="DIR", help="begin with the weights of this model directory: "
                   "one of the same sizes, or a Mamba without memory that has fewer layers")
    p.add_argument("--twin", action="store_true", help="the same model without memory")
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--save-minutes", type=cli.positive(float), default=3, help="minutes between two checkpoints")
    p.add_argument("--log-every", type=cli.positive(int), default=20, help="steps between two lines of progress")
    p.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    p.add_argument("--kernels", choices=("c", "torch"), help="c on a CPU, torch elsewhere, unless told")
    budget = p.add_mutually_exclusive_group(required=True)
    budget.add_argument("--steps", type=cli.positive(int), help="how many steps to train")
    budget.add_argument("--minutes", type=cli.positive(float), help="how long to train")
    model_arguments(p.add_argument_group("the model"))
    recipe_arguments(p.add_argument_group("the recipe"))
    args = p.parse_args(argv)
    if args.twin and (args.reads or args.shut or args.overflow_price):
        p.error("--twin has no memory for --reads, --shut or --overflow-price")
    if args.books + args.labelled + args.documents + args.repeats > 1:
        p.error("--books, --labelled, --documents and --repeats add up to more than 1")
    args.kernels = args.kernels or ("c" if args.device == "cpu" else "torch")
    return args


def model_arguments(p):
    p.add_argument("--hidden-size", type=cli.positive(int), default=64)
    p.add_argument("--layers", type=cli.positive(int), default=24)
    p.add_argument("--state-size", type=cli.positive(int), default=16)
    p.add_argument("--window", type=cli.positive(int), default=64, help="tokens between two commits and reads")
    p.add_argument("--pool", type=cli.positive(int), default=50, help="notes a layer keeps")
    p.add_argument("--summary", type=cli.positive(int), default=64, help="numbers of a note")
    p.add_argument("--period", type=cli.positive(int), default=4, help="layers between two that read those below")


def recipe_arguments(p):
    p.add_argument("--tokens", type=cli.positive(int), default=2048, help="tokens of a step")
    p.add_argument("--lengths", type=lengths, default="128,256,512", help="tokens of a sequence, stage after stage")
    p.add_argument("--grow-below", type=float, default=0.12, help="nats per digit at which the next length comes")
    p.add_argument("--books", type=float, default=0.3, help="the part of sequences that are books and nothing else")
    p.add_argument("--grass", type=float, default=0.85, help="the part of passkeys in the standard filler, not in books")
    for name, what in (("labelled", "several keys with names"), ("documents", "documents with questions"),
                       ("repeats", "books in which a passage comes again")):
        p.add_argument(f"--{name}", type=float, default=0,
                       help=f"the part of sequences that are {what}, if {tasks.LEAST} tokens or longer")
    p.add_argument("--drop", type=float, default=0.5, help="how often a window begins without Mamba's state")
    p.add_argument("--whole", type=float, default=0.5, help="the part of sequences where nothing is dropped")
    p.add_argument("--rare", type=float, default=0.0125, help="what a layer's mean importance of 1 costs, once answers come")
    p.add_argument("--overflow-price", type=float, default=0, help="what a note of importance 1 in books costs a layer "
                   "for each time that its share of notes exceeds --overflow-share again, up to ten times")
    p.add_argument("--overflow-share", type=cli.positive(float), default=0.0031,
                   help="the part of a book's tokens a layer may note for nothing (0.0031: 50 of 16,384)")
    p.add_argument("--carry", type=float, default=0, help="the part of steps that begin with what a lane has read")
    p.add_argument("--carry-lanes", type=cli.positive(int), default=8, help="lanes that read books")
    p.add_argument("--carry-limit", type=cli.positive(int), default=16384, help="tokens after which a lane begins again")
    p.add_argument("--reads", type=bounds, metavar="LOW,HIGH", help="bounds of the part of windows in which a layer reads")
    p.add_argument("--shut", type=float, default=0, help="the part of windows that are kept from reading, whatever they ask")
    p.add_argument("--lr", type=cli.positive(float), default=1e-3, help="the learning rate")
    p.add_argument("--base-rate", type=cli.positive(float), default=1,
                   help="the rate of weights that a shallower Mamba gave, relative to the others'")
    p.add_argument("--warmup", type=cli.positive(int), default=100, help="steps until the learning rate")
    p.add_argument("--cooldown", type=cli.positive(float), default=0.2, help="the last part of the budget, its rate falling")
    p.add_argument("--decay", type=float, default=0.1, help="AdamW's weight decay, on projections only")
    p.add_argument("--clip", type=cli.positive(float), default=1.0, help="the highest norm of a gradient")


def build(a):
    sizes = {"hidden_size": a.hidden_size, "num_hidden_layers": a.layers, "state_size": a.state_size}
    kind = kernels.make(a.kernels)
    if a.twin:
        return Mamba(Config(**sizes), kind)
    return MemMamba(MemoryConfig(**sizes, memory_window=a.window, memory_pool_size=a.pool, memory_summary_dim=a.summary,
                                 cross_layer_period=a.period, memory_replacement="priority"), kind)


class Run:
    """A model in training: everything that a checkpoint keeps, and the way from step to step."""

    def __init__(self, args):
        self.args, self.step, self.seconds, self.stage, self.cost = args, 0, 0.0, 0, UNKNOWN
        self.history = []  # rows of COLUMNS
        self.share = [0.0] * args.layers  # of books' tokens that each layer notes, a running mean
        self.open = [0.5] * args.layers  # of windows in which each layer reads, a running mean
        torch.manual_seed(args.seed)
        self.model = build(args).to(args.device)
        self.books = np.concatenate(data.read_files(args.data))
        if len(self.books) <= args.lengths[-1]:
            raise ValueError(f"{args.data}: {len(self.books)} tokens are too few for a sequence of {args.lengths[-1]}")
        self.lanes = self.begun = None
        if args.carry:
            if len(self.books) <= 2 * args.carry_limit + args.tokens:
                raise ValueError(f"{args.data}: {len(self.books)} tokens are too few for lanes of {args.carry_limit}")
            self.lanes = lanes.Lanes(self.model, self.books, args.carry_lanes, args.carry_limit, args.seed)
        given = self.begin_with(args.source) if args.source else []
        if args.reads and not args.resume:
            reads.spread(self.model, self.sample())
        self.optimizer = reads.optimizer(self.model, args.decay) if args.reads else optimizer(self.model, args.decay)
        deepen.slow(self.optimizer, given, args.base_rate)

    def sample(self):
        """Eight sequences of 16 windows: six of books, two with a passkey in the filler."""
        random, length = np.random.RandomState([self.args.seed, 1]), max(16 * self.args.window, 256)
        rows = [passkey.sequence(random, length)[0][:-1] for _ in range(2)]
        rows += [passkey.filler(self.books, random.randint(len(self.books)), length) for _ in range(6)]
        return torch.from_numpy(np.stack(rows)).to(self.args.device)

    def begin_with(self, folder):
        """Takes the weights of a model directory of the same sizes, whose answers are taken to be good
        already, so that prices count from the first step; or of a Mamba without memory and of fewer layers.
        Returns the parameters to which --base-rate applies: those that such a Mamba has given."""
        source = hf.load(folder, self.model.kernels)
        if vars(source.config) == vars(self.model.config):
            self.model.load_state_dict(source.state_dict())
            self.cost = 3 * self.args.grow_below
            return []
        if not deepen.fits(self.model, source):
            raise ValueError(f"{folder}: is {vars(source.config)}, not {vars(self.model.config)}")
        return deepen.grow(self.model, source)

    def progress(self):
        """The part of the budget that is spent, 0 to 1."""
        a = self.args
        return min(1.0, self.step / a.steps if a.steps is not None else self.seconds / (60 * a.minutes))

    def rate(self):
        """The learning rate of the next step: up, level, and in the last part of the budget down."""
        a = self.args
        return a.lr * min(1.0, (self.step + 1) / a.warmup, 0.02 + 0.98 * (1 - self.progress()) / a.cooldown)

    def batch(self):
        """Tokens, targets and their kinds (sequences, length), and keep (sequences, windows) for
        the model. All of it is a function of the seed, the step, the stage and where the lanes are.
        begun is then the lanes that the sequences follow, or None if they start from nothing."""
        a, random = self.args, np.random.RandomState([self.args.seed, self.step])
        length = a.lengths[self.stage if random.rand() < 0.7 else random.randint(self.stage + 1)]
        rows, count = [], max(1, a.tokens // length)
        self.begun = self.lanes.draw(random, count) if self.lanes and random.rand() < a.carry else None
        for i in range(count):
            rows.append(self.sequence(random, length, self.lanes.places[self.begun[i]] if self.begun else None))
        tokens, kinds = (torch.from_numpy(np.stack(x)) for x in zip(*rows))
        drop = random.rand(len(rows), -(-length // a.window)) < a.drop
        drop &= random.rand(len(rows), 1) >= a.whole
        return tokens[:, :-1], tokens[:, 1:], kinds, torch.from_numpy(1 - drop.astype(np.float32))

    def sequence(self, random, length, place):
        """Tokens (length + 1) and their kinds (length) for one sequence: of the books, from place on
        or from anywhere, or of one of the tasks."""
        a, kind, books = self.args, random.rand(), self.books
        if kind < a.books:
            at = random.randint(len(books) - length) if place is None else place
            return books[at:at + length + 1], np.zeros(length, np.int64)
        if length >= tasks.LEAST:
            kind -= a.books
            if kind < a.labelled:
                return tasks.labelled(random, length, books, place)
            if kind < a.labelled + a.documents:
                return tasks.documents(random, length, books)
            if kind < a.labelled + a.documents + a.repeats:
                return tasks.repeats(random, length, books, place)
        if random.rand() < a.grass:
            return passkey.sequence(random, length)
        return passkey.sequence(random, length, books, place)

    def loss(self, tokens, targets, kinds, keep):
        """The loss of a batch and its parts: nats per target of each kind, and of sequences that are
        books alone, the part of tokens noted and the part of windows that ask to read."""
        model = self.model
        state = self.lanes.start(self.begun) if self.begun else model.zero_state(len(tokens))
        if self.args.twin:
            logits, _ = model(tokens, state)
        else:
            random = np.random.RandomState([self.args.seed, self.step, 3])
            shut = torch.from_numpy(random.rand(self.args.layers, *keep.shape) < self.args.shut)
            logits, _ = model(tokens, state, keep, shut.to(keep.device))
        nats = F.cross_entropy(logits.flatten(0, 1), targets.flatten(), reduction="none").view_as(targets)
        loss, found = 0, {}
        for name, (kind, weight) in PARTS.items():
            if (kinds == kind).any():
                part = nats[kinds == kind].mean()
                loss, found[name] = loss + weight * part, part.item()
        bare = (kinds == passkey.TEXT).all(1)
        if bare.any():
            found["books"] = nats[bare].mean().item()
        if not self.args.twin:
            importance = torch.stack([notes.importance[:, -tokens.shape[1]:] for notes, _ in model.trace])
            if self.cost < UNKNOWN / 2:  # before, it would silence the scorer
                loss = loss + self.args.rare * importance.mean((1, 2)).sum()
                loss = loss + self.overflow(importance, bare)
            found["notes"] = (importance > model.config.memory_note_threshold).float().mean().item()
            found["reads"] = model.asked().float().mean().item()
        return loss, found

    def overflow(self, importance, bare):
        """The price of notes in sequences without a key (bare): per layer the mean importance of
        what is noted, times how far its share of books' tokens exceeds --overflow-share."""
        a = self.args
        if not a.overflow_price or not bare.any():
            return 0
        importance = importance[:, bare]  # (layers, sequences, T)
        noted = importance > self.model.config.memory_note_threshold
        for layer, share in enumerate(noted.float().mean((1, 2)).tolist()):
            self.share[layer] += 0.05 * (share - self.share[layer])
        excess = importance.new_tensor(self.share) / a.overflow_share - 1
        mean = (importance * noted).sum((1, 2)) / noted.sum((1, 2)).clamp(min=1)
        return a.overflow_price * (excess.clamp(0, 10) * mean).sum()

    def advance(self):
        """Trains one step; returns the parts of its loss."""
        started, a = time.monotonic(), self.args
        for group in self.optimizer.param_groups:
            group["lr"] = self.rate() * group.get("scale", 1)
        self.optimizer.zero_grad(set_to_none=True)
        tokens, *others = (x.to(a.device) for x in self.batch())
        loss, found = self.loss(tokens, *others)
        if not torch.isfinite(loss):
            raise ValueError(f"step {self.step}: the loss is {loss.item()}: a lower --lr may help")
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), a.clip, error_if_nonfinite=True)
        self.optimizer.step()
        if a.reads and (self.begun or not self.lanes):
            reads.hold(self.model, self.open, *a.reads, others[-1].bool().all(1))
        self.step += 1
        if self.begun:
            self.lanes.advance(self.begun, a.tokens, self.step)
        if tokens.shape[1] == a.lengths[self.stage]:
            self.cost += 0.03 * (found.get("answer", self.cost) - self.cost)
        if self.cost < a.grow_below and self.stage + 1 < len(a.lengths):
            self.stage, self.cost = self.stage + 1, 3 * a.grow_below
        self.seconds += time.monotonic() - started
        return found

    def save(self):
        path = pathlib.Path(self.args.checkpoint)
        path.parent.mkdir(parents=True, exist_ok=True)
        work = path.with_name(f".{path.name}.{os.getpid()}")
        kept = {name: getattr(self, name) for name in KEPT}
        if self.lanes:
            kept["lanes"] = self.lanes.kept()
        torch.save({**kept, "config": vars(self.model.config), "model": self.model.state_dict(),
                    "optimizer": self.optimizer.state_dict()}, work)
        os.replace(work, path)
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows([COLUMNS, *self.history])
        hf.write_file(path.with_suffix(".csv"), text.getvalue().encode())

    def load(self):
        kept = torch.load(self.args.checkpoint, map_location=self.args.device)
        if kept["config"] != vars(self.model.config):
            raise ValueError(f"{self.args.checkpoint}: made with {kept['config']}, not {vars(self.model.config)}")
        self.model.load_state_dict(kept["model"])
        self.optimizer.load_state_dict(kept["optimizer"])
        for name in KEPT:
            setattr(self, name, kept[name])
        if self.lanes and "lanes" in kept:
            self.lanes.restore(kept["lanes"])
        self.stage = min(self.stage, len(self.args.lengths) - 1)


KEPT = ("step", "seconds", "stage", "cost", "history", "share", "open")


def train(run, say=print, stopped=lambda: False):
    """Trains to the end of the budget, or until stopped says so, and saves; a row of the history
    is the mean of --log-every steps. Returns whether the budget is spent."""
    a, recent, saved = run.args, [], time.monotonic()
    while run.progress() < 1 and not stopped():
        recent.append(run.advance())
        if run.step % a.log_every == 0:
            means = {name: np.mean([found[name] for found in recent if name in found])
                     for name in COLUMNS if any(name in found for found in recent)}
            means = {name: round(float(mean), 4) for name, mean in means.items()}
            means.update(step=run.step, minutes=round(run.seconds / 60, 2), length=a.lengths[run.stage])
            run.history.append([means.get(name, "") for name in COLUMNS])
            say("  ".join(f"{name} {means[name]}" for name in COLUMNS if name in means))
            recent = []
        if time.monotonic() - saved > 60 * a.save_minutes:
            run.save()
            saved = time.monotonic()
    run.save()
    return run.progress() >= 1


def main():
    args = arguments()
    kernels.keep_freed_memory()
    run = Run(args)
    if args.resume:
        run.load()
    parameters = sum(p.numel() for p in run.model.parameters())
    print(f"{parameters} parameters, {len(run.books)} tokens of books, from step {run.step}", flush=True)
    asked = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, frame: asked.append(number))  # the step is finished first
    whole = train(run, lambda line: print(line, flush=True), lambda: bool(asked))
    hf.export(run.model, args.out)
    print(f"{args.out}: written after {run.step} steps, {run.seconds / 60:.1f} minutes", flush=True)
    if not whole:
        sys.exit(f"stopped after {run.step} steps: --resume goes on")


if __name__ == "__main__":
    cli.run(main)
