"""Tests of the passkey task and of training for it: python3 -m unittest, in this folder."""

import contextlib
import csv
import io
import json
import pathlib
import signal
import sys
import unittest
from unittest import mock

import numpy as np
import torch

import export
import golden
import hf
import kernels
import passkey
import retrieve
import train_memory
from test_memory import tiny
from test_train import TEXT, InFolder

torch.set_num_threads(1)


def text_of(tokens):
    return bytes(tokens.astype(np.uint8)).decode()


class Task(unittest.TestCase):
    def test_prompt(self):
        """The pieces of the task in their places, the filler going on after the needle."""
        for length, depth, before in ((97, 0.5, 0), (98, 0.5, 1), (197, 0.1, 10), (1000, 0.9, 813)):
            text = text_of(passkey.prompt(np.random.RandomState(length), length, 48215, depth))
            self.assertEqual(len(text), length)
            head, tail = text[:before], text[before + 59:-38]
            self.assertEqual(text[before:before + 59], " The pass key is 48215. Remember it. 48215 is the pass key.")
            self.assertEqual(text[-38:], " What is the pass key? The pass key is")
            self.assertIn(head + tail, passkey.UNIT.decode() * (length // 90 + 2))
        with self.assertRaisesRegex(ValueError, "length 96 is below the task's 97 tokens"):
            passkey.prompt(np.random.RandomState(0), 96, 48215)

    def test_sequences(self):
        """Every key of a sequence is the same, and its digits are marked for what they are."""
        random, questions = np.random.RandomState(4), set()
        for length in (128, 129, 256, 700):
            for _ in range(50):
                tokens, kinds = passkey.sequence(random, length)
                self.assertEqual((len(tokens), len(kinds)), (length + 1, length))
                text, targets = text_of(tokens), text_of(tokens[1:])
                key = text[text.index("The pass key is ") + 16:][:5]
                asked = text.count("What is the pass key? The pass key is " + key)
                questions.add((length, asked))
                for kind, times in ((passkey.COPY, 1), (passkey.ANSWER, 1), (passkey.AGAIN, asked - 1)):
                    digits = "".join(c for c, k in zip(targets, kinds) if k == kind)
                    self.assertEqual(digits, key * times)
                self.assertEqual(targets.index(key, targets.index("?")), (kinds == passkey.ANSWER).argmax())
        self.assertEqual({asked for length, asked in questions if length == 128}, {1})
        self.assertGreater(len({asked for length, asked in questions if length == 700}), 3)
        with self.assertRaisesRegex(ValueError, "length 101 is below the 102 tokens"):
            passkey.sequence(random, 101)

    def test_accuracy_counts_whole_keys(self):
        """Models that see the whole sequence: one says every key, one errs in a key's last digit
        when the first is odd, and both are fed in chunks that cut the answer."""
        class Oracle:
            window = 1

            def __init__(self, errs):
                self.errs = errs

            def zero_state(self, batch):
                return torch.zeros(batch, 0, dtype=torch.long)

            def __call__(self, tokens, state):
                state = torch.cat([state, tokens], 1)
                logits = torch.zeros(*tokens.shape, 256)
                for row, seen in enumerate(state):
                    text = text_of(seen.numpy())
                    said = " " + text[text.index("The pass key is ") + 16:][:5] if "key is " in text else "??????"
                    if self.errs and said[1] in "13579":
                        said = said[:5] + chr(ord("0") + (int(said[5]) + 1) % 10)
                    for column in range(tokens.shape[1]):
                        at = len(seen) - tokens.shape[1] + column - 199
                        logits[row, column, ord(said[at]) if 0 <= at < 6 else 63] = 1
                return logits, state

        self.assertEqual(retrieve.accuracy(Oracle(False), 200, 3, 4, 1, chunk=101), [1, 1, 1])
        found = retrieve.accuracy(Oracle(True), 200, 2, 60, 1, chunk=203)
        self.assertTrue(all(0.2 < x < 0.8 for x in found), found)

    def test_intervals(self):
        for right, trials, want in ((92, 100, (0.850, 0.959)), (20, 20, (0.839, 1)), (0, 5, (0, 0.434)), (4, 50, (0.032, 0.188))):
            for got, bound in zip(retrieve.wilson(right, trials), want):
                self.assertAlmostEqual(got, bound, delta=6e-4)

    def test_reads_are_counted_over_all_calls(self):
        model, seen = tiny(kernels.Torch(), vocab_size=257), retrieve.Reads()
        retrieve.accuracy(model, 130, 1, 3, 1, chunk=32, seen=seen)
        self.assertEqual(seen.windows, 3 * 5)
        self.assertEqual(len(seen.shares()), 4)
        self.assertTrue(all(0 <= x <= 0.8 for x in seen.shares()), "the first of five windows never reads")
        self.assertTrue(any(0 < x for x in seen.shares()))


class Runs(InFolder):
    """Small trainings."""

    def run_for(self, steps, *more):
        return train_memory.Run(train_memory.arguments(self.words_for(steps, *more)))

    def words_for(self, steps, *more):
        args = ["--data", str(self.folder), "--out", str(self.folder / "model"), "--device", "cpu", "--pool", "8",
                "--checkpoint", str(self.folder / "run.pt"), "--steps", str(steps), "--hidden-size", "16", "--layers", "2",
                "--summary", "8", "--window", "32", "--period", "2", "--tokens", "256", "--lengths", "120,160",
                "--log-every", "4", "--warmup", "5"]
        (self.folder / "a.txt").write_text(TEXT * 20)
        return args + list(more)

    def quietly(self, run):
        train_memory.train(run, lambda line: None)
        return run


class Training(Runs):
    def test_learns_the_filler(self):
        for more in ([], ["--twin"]):
            run = self.quietly(self.run_for(60, "--lr", "1e-2", *more))
            rows = list(csv.DictReader((self.folder / "run.csv").read_text().splitlines()))
            self.assertEqual([int(row["step"]) for row in rows], list(range(4, 61, 4)))
            self.assertGreater(float(rows[0]["text"]), 4)
            self.assertLess(float(rows[-1]["text"]), 2.5)
            self.assertEqual(rows[0]["notes"] == "", bool(more))

    def test_resume_goes_on_as_if_never_stopped(self):
        whole = self.quietly(self.run_for(12))
        first = self.run_for(12)
        first.args.steps = 8
        first.rate = lambda: train_memory.Run.rate(whole_budget(first))
        self.quietly(first)
        second = self.run_for(12)
        second.load()
        self.quietly(second)
        self.assertEqual([row[:1] + row[2:] for row in whole.history], [row[:1] + row[2:] for row in second.history])
        for p, q in zip(whole.model.parameters(), second.model.parameters()):
            self.assertTrue(torch.equal(p, q))

    CARRY = ("--carry", "0.6", "--carry-lanes", "3", "--carry-limit", "256", "--overflow-price", "0.05",
             "--reads", "0.2,0.6", "--shut", "0.1", "--books", "0.5", "--grass", "0.5")

    def test_carried_sequences_follow_their_lanes(self):
        """Books go on where a lane stands, and so does the filler of a key; other steps begin anywhere."""
        run, carried = self.run_for(30, *self.CARRY, "--lengths", "160", "--grass", "0"), 0
        for run.step in range(30):
            tokens, _, kinds, _ = run.batch()
            if not run.begun:
                continue
            carried += 1
            place = run.lanes.places[run.begun[0]]
            want = passkey.filler(run.books, place, 160)
            same = int((tokens[0].numpy() == want).cumprod().sum())
            if not kinds.any():
                self.assertEqual(same, 160)
            else:  # up to the needle, whose first byte may be the filler's too
                self.assertIn(b" The pass key is", bytes(tokens[0].tolist())[same - 4 if same > 4 else 0:][:24])
        self.assertTrue(10 < carried < 26, carried)

    def test_resume_goes_on_with_lanes_and_reads(self):
        whole = self.quietly(self.run_for(12, *self.CARRY))
        first = self.run_for(12, *self.CARRY)
        first.args.steps = 8
        first.rate = lambda: train_memory.Run.rate(whole_budget(first))
        self.quietly(first)
        second = self.run_for(12, *self.CARRY, "--resume")
        second.load()
        self.quietly(second)
        self.assertGreater(max(whole.lanes.ages), 0)
        self.assertEqual(whole.lanes.ages, second.lanes.ages)
        for p, q in zip(whole.model.parameters(), second.model.parameters()):
            self.assertTrue(torch.equal(p, q))

    def test_begins_with_a_model(self):
        run = self.quietly(self.run_for(2))
        with contextlib.redirect_stdout(io.StringIO()):
            export.main(["--checkpoint", run.args.checkpoint, "--out", run.args.out])
        again = self.run_for(1, "--from", run.args.out)
        for p, q in zip(run.model.parameters(), again.model.parameters()):
            self.assertTrue(torch.equal(p.half().float(), q))
        self.assertLess(again.cost, train_memory.UNKNOWN / 2)
        with self.assertRaisesRegex(ValueError, "model: is .*'memory_pool_size': 8.*, not .*'memory_pool_size': 9"):
            self.run_for(1, "--from", run.args.out, "--pool", "9")

    def test_overflow_costs_what_exceeds_the_share(self):
        """Only bare sequences and noted tokens count, and nothing below the share."""
        run = self.run_for(1, "--overflow-price", "0.5", "--overflow-share", "0.01")
        importance = torch.full((2, 2, 100), 0.2)
        importance[0, 1, :20] = 0.9
        importance[:, 0] = 0.7
        importance.requires_grad_()
        cost = run.overflow(importance, torch.tensor([False, True]))
        self.assertEqual([round(x, 6) for x in run.share], [0.01, 0])
        self.assertAlmostEqual(cost.item(), 0)
        cost = run.overflow(importance, torch.tensor([False, True]))
        self.assertAlmostEqual(cost.item(), 0.5 * (0.0195 / 0.01 - 1) * 0.9, places=5)
        cost.backward()
        self.assertEqual(importance.grad.count_nonzero().item(), 20)
        self.assertEqual(run.overflow(importance, torch.tensor([False, False])), 0)

    def test_a_twin_has_no_memory_to_price(self):
        for more in (["--reads", "0.1,0.5"], ["--shut", "0.1"], ["--overflow-price", "1"]):
            with contextlib.redirect_stderr(io.StringIO()) as said, self.assertRaises(SystemExit):
                self.run_for(1, "--twin", *more)
            self.assertIn("--twin has no memory", said.getvalue())

    def test_wrong_bounds(self):
        for value in ("0.6,0.2", "0.2", "-1,0.5", "0.1,2"):
            with contextlib.redirect_stderr(io.StringIO()) as said, self.assertRaises(SystemExit):
                self.run_for(1, "--reads=" + value)
            self.assertIn("invalid bounds value", said.getvalue())

    def test_lengths_grow_when_answers_are_cheap(self):
        run = self.run_for(3, "--grow-below", "9")
        self.assertEqual(run.batch()[0].shape, (2, 120))
        run.advance()
        self.assertEqual((run.stage, run.cost), (1, 27))
        shapes = set()
        for run.step in range(40):
            shapes.add(tuple(run.batch()[0].shape))
        self.assertEqual(shapes, {(2, 120), (1, 160)})

    def test_told_to_stop_it_writes_its_model(self):
        """SIGTERM ends a run after its step, with a checkpoint and a model directory."""
        whole, words = train_memory.train, ["train_memory.py", *self.words_for(9)]

        def told(*rest):
            signal.raise_signal(signal.SIGTERM)
            return whole(*rest)

        for number in (signal.SIGINT, signal.SIGTERM):
            self.addCleanup(signal.signal, number, signal.getsignal(number))
        with mock.patch.object(train_memory, "train", told), mock.patch.object(sys, "argv", words), \
                contextlib.redirect_stdout(io.StringIO()), self.assertRaisesRegex(SystemExit, "stopped after 0 steps: --resume"):
            train_memory.main()
        self.assertTrue((self.folder / "run.pt").exists())
        self.assertTrue((self.folder / "model" / "config.json").exists())

    def test_resume_with_other_sizes(self):
        self.run_for(1).save()
        with self.assertRaisesRegex(ValueError, "run.pt: made with .*'memory_pool_size': 8"):
            self.run_for(1, "--pool", "9").load()

    def test_wrong_lengths(self):
        for value in ("256,128", "0", "1,x"):
            with contextlib.redirect_stderr(io.StringIO()) as said, self.assertRaises(SystemExit):
                self.run_for(1, "--lengths", value)
            self.assertIn("invalid lengths value", said.getvalue())
        with self.assertRaisesRegex(ValueError, "tokens are too few for a sequence of 90000"):
            self.run_for(1, "--lengths", "90000")

    def test_export_and_golden(self):
        """A checkpoint's directory is a memmamba's, and its golden holds the memory."""
        run = self.quietly(self.run_for(2))
        with contextlib.redirect_stdout(io.StringIO()):
            export.main(["--checkpoint", run.args.checkpoint, "--out", run.args.out])
        config = json.loads((pathlib.Path(run.args.out) / "config.json").read_text())
        self.assertEqual((config["model_type"], config["memory_replacement"]), ("memmamba", "priority"))
        again = hf.load(run.args.out, kernels.Torch())
        for (name, p), q in zip(run.model.named_parameters(), again.parameters()):
            self.assertTrue(torch.equal(p.half().float(), q), name)
        path = self.folder / "golden.safetensors"
        golden.write(run.args.out, (TEXT * 2).encode(), 3, path)
        found = hf.load_tensors(path)
        self.assertEqual(found["reads"].shape, (-(-len(TEXT * 2) // 32), 2))
        self.assertFalse(found["reads"][0].any())
        for layer, count in enumerate(found["pool_count"]):
            self.assertEqual(found[f"pool.{layer}"].shape, (count, 8))
            self.assertEqual(found[f"importance.{layer}"].shape, (count,))


def whole_budget(run):
    """run with the budget that the schedule of test_resume spreads over."""
    copy = train_memory.Run.__new__(train_memory.Run)
    copy.__dict__.update(run.__dict__)
    copy.args = type(run.args)(**{**vars(run.args), "steps": 12})
    return copy


if __name__ == "__main__":
    unittest.main()
