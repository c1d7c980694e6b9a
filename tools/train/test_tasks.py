"""Tests of the training sequences with names, documents and repeats: python3 -m unittest, in this folder."""

import contextlib
import io
import pathlib
import re
import unittest

import numpy as np

import passkey
import tasks
from test_passkey import Runs

ENGINE = pathlib.Path(__file__).parents[2] / "internal/experiment/retrieval/documents.go"
TEXT = passkey.as_tokens(b"The old road went over the hill and down to the water, where nobody had been for years; 'Oh!' said she. " * 9)


def marked(tokens, kinds, kind):
    """The runs of targets of a kind, as bytes."""
    flags, runs = np.concatenate([[0], kinds == kind, [0]]), []
    for a, b in np.flatnonzero(np.diff(flags)).reshape(-1, 2):
        runs.append(bytes(tokens[1 + a:1 + b].tolist()))
    return runs


class Sequences(unittest.TestCase):
    def test_labelled(self):
        """Every answer is the last key told for its name, and all its digits are marked."""
        random, overwritten, counts = np.random.RandomState(3), 0, set()
        for i in range(300):
            length = (512, 700, 1024)[i % 3]
            tokens, kinds = tasks.labelled(random, length, TEXT, None if i % 2 else 5)
            self.assertEqual((len(tokens), len(kinds)), (length + 1, length))
            text = bytes(tokens.tolist()).decode()
            told = re.findall(r" The pass key of (\w+) is (\d{5})\. Remember it\. (\d{5}) is the pass key of (\w+)\.", text)
            for name, key, key2, name2 in told:
                self.assertEqual((name, key), (name2, key2))
            asked = re.findall(r" What is the pass key of (\w+)\? The pass key of (\w+) is (\d{5})", text)
            self.assertTrue(asked)
            now = {name: key for name, key, *_ in told}
            for name, name2, key in asked:
                self.assertEqual((name, key), (name2, now[name]))
            self.assertEqual([x.decode() for x in marked(tokens, kinds, tasks.FACT)], [key for *_, key in asked])
            self.assertEqual(set(kinds), {passkey.TEXT, tasks.FACT})
            overwritten += len(told) > len(now)
            counts.add(len(now))
        self.assertTrue(70 < overwritten < 130, overwritten)
        self.assertEqual(counts, {2, 3, 4})

    def test_documents(self):
        random, counts = np.random.RandomState(3), set()
        for i in range(200):
            length = (512, 1024, 2048)[i % 3]
            tokens, kinds = tasks.documents(random, length, TEXT)
            self.assertEqual((len(tokens), len(kinds)), (length + 1, length))
            text = bytes(tokens.tolist()).decode()
            codes = dict(re.findall(r" The code of (\w+) is (\d{5})\.", text))
            heads = re.findall(r"\n\nDocument (\d+): (\w+)\.", text)
            self.assertEqual([int(n) for n, _ in heads], list(range(1, len(heads) + 1)))
            self.assertEqual({name for _, name in heads}, set(codes))
            asked = re.findall(r"\n\nWhat is the code of (\w+)\? The code of (\w+) is (\d{5})", text)
            self.assertTrue(asked)
            for name, name2, code in asked:
                self.assertEqual((name, code), (name2, codes[name]))
            self.assertEqual([x.decode() for x in marked(tokens, kinds, tasks.FACT)], [code for *_, code in asked])
            counts.add(len(heads))
        self.assertEqual(counts, {1, 2, 3, 4})

    def test_documents_are_worded_as_the_engine_asks(self):
        """The same head, fact and question; none of the engine's names."""
        source = ENGINE.read_text()
        for text in ('"\\n\\nDocument %d: %s."', '" The code of %s is %s."', '"\\n\\nWhat is the code of %[1]s? The code of %[1]s is"'):
            self.assertIn(text, source)
        for part in (*tasks.STARTS, *tasks.ENDS):
            self.assertNotIn(f'"{part}"', source)

    def test_repeats(self):
        """What is marked stood in the sequence before, together with the eight bytes ahead of it."""
        random = np.random.RandomState(3)
        noise = random.randint(97, 123, size=5000)
        for i in range(200):
            tokens, kinds = tasks.repeats(random, (512, 1024)[i % 2], noise, None if i % 3 else 40)
            self.assertEqual(len(tokens), (513, 1025)[i % 2])
            at = np.flatnonzero(kinds == tasks.REPEAT) + 1
            self.assertTrue(32 <= len(at) < 192)
            text, passage = bytes(tokens.tolist()), bytes(tokens[at[0] - 8:at[-1] + 1].tolist())
            first = text.find(passage)
            self.assertTrue(0 <= first <= at[0] - 8 - len(passage) - 64, "a window or more lies between")

    def test_too_short(self):
        for make in (tasks.labelled, tasks.documents):
            with self.assertRaisesRegex(ValueError, "length 120 is too short"):
                make(np.random.RandomState(1), 120, TEXT)


class Mixture(Runs):
    def test_parts(self):
        """Every kind comes as often as told in sequences of 512, and never in shorter ones."""
        run = self.run_for(1, "--lengths", "512", "--tokens", "512", "--books", "0.2", "--labelled", "0.2",
                           "--documents", "0.2", "--repeats", "0.2")
        found = np.zeros(4)
        for run.step in range(300):
            tokens, _, kinds, _ = run.batch()
            text = bytes(tokens[0].clamp(max=255).tolist())
            found += [not kinds.any(), b"The pass key of" in text, b"\n\nDocument 1: " in text, (kinds == tasks.REPEAT).any().item()]
        self.assertTrue(all(40 < n < 80 for n in found), found)
        loss, parts = run.loss(*run.batch())
        self.assertTrue(parts.keys() >= {"text", "notes"})
        run = self.run_for(1, "--lengths", "160", "--books", "0.2", "--documents", "0.8")
        for run.step in range(50):
            self.assertFalse((run.batch()[2] == tasks.FACT).any())

    def test_more_than_all(self):
        with contextlib.redirect_stderr(io.StringIO()) as said, self.assertRaises(SystemExit):
            self.run_for(1, "--books", "0.5", "--documents", "0.6")
        self.assertIn("add up to more than 1", said.getvalue())


if __name__ == "__main__":
    unittest.main()
