"""Text as byte tokens, cut into batches whose order is a function of the seed and the step."""

import pathlib

import numpy as np
import torch

END = 256  # <|endoftext|>, before every file; 0 to 255 are the bytes


def read_files(folder):
    """The .txt files of folder, in the order of their names, each an array of tokens: END and
    the bytes of the file."""
    files = sorted(pathlib.Path(folder).glob("*.txt"))
    if not files:
        raise ValueError(f"{folder}: no .txt files")
    texts = []
    for file in files:
        data = np.frombuffer(file.read_bytes(), np.uint8)
        if not len(data):
            raise ValueError(f"{file}: empty")
        texts.append(np.concatenate([[END], data]).astype(np.int64))
    return texts


class Batches:
    """Every lane of a batch reads a piece of the text from its start to its end, `segments`
    batches of `length` tokens, and then goes to another piece. Every epoch cuts the text at new
    places and visits every piece once, in a new order. Lanes change pieces at different steps."""

    def __init__(self, text, batch, length, segments, seed):
        self.text, self.batch, self.length, self.segments, self.seed = text, batch, length, segments, seed
        self.pieces = (len(text) - 1) // (length * segments) - 1  # one fewer, to move the cuts
        if self.pieces < 1:
            raise ValueError(f"{len(text)} tokens of text are fewer than two pieces of {length * segments}")
        self.epochs = {}

    def start(self, number):
        """Where the piece read as the number-th of the run starts in the text."""
        epoch, at = divmod(number, self.pieces)
        if epoch not in self.epochs:
            random = np.random.RandomState([self.seed, epoch])
            size = self.length * self.segments
            cut = random.randint(len(self.text) - 1 - self.pieces * size + 1)
            if len(self.epochs) > 2:
                self.epochs.clear()
            self.epochs[epoch] = cut + random.permutation(self.pieces) * size
        return int(self.epochs[epoch][at])

    def __call__(self, step):
        """Inputs and targets (batch, length), and keep (batch, 1, 1): 0 for a lane that starts a
        new piece, whose state must be cleared, else 1."""
        rows, keep = [], []
        for lane in range(self.batch):
            turn, segment = divmod(step + lane * self.segments // self.batch, self.segments)
            at = self.start(turn * self.batch + lane) + segment * self.length
            rows.append(self.text[at:at + self.length + 1])
            keep.append(float(segment > 0 and step > 0))
        rows = torch.from_numpy(np.stack(rows))
        return rows[:, :-1], rows[:, 1:], torch.tensor(keep)[:, None, None]
