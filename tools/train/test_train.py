"""Tests of the training tool: python3 -m unittest, in this folder. They take seconds."""

import contextlib
import io
import json
import math
import pathlib
import tempfile
import unittest

import numpy as np
import torch
import torch.nn.functional as F

import cli
import data
import evaluate
import export
import golden
import hf
import kernels
import train
from model import Config, Mamba

torch.set_num_threads(1)

TEXT = ("The Hatter opened his eyes very wide on hearing this; but all he said was, "
        "'Why is a raven like a writing-desk?'\n")


class Loop(kernels.Torch):
    """The contract's formulas, one token after the other, for autograd to differentiate."""

    def conv_silu(self, x, before, weight, bias):
        taps, x = weight.shape[-1], torch.cat([before, x], 1)
        rows = [bias + sum(x[:, t + k] * weight[:, 0, k] for k in range(taps)) for t in range(x.shape[1] - taps + 1)]
        return F.silu(torch.stack(rows, 1))

    def scan(self, dt, u, z, b, c, a, d, h, window=0, keep=None):
        delta, rows, means = torch.log1p(torch.exp(dt)), [], []
        for t in range(u.shape[1]):
            if window and t % window == 0:
                means.append(h.mean(-1))
                h = h if keep is None else h * keep[:, t // window, None, None]
            h = torch.exp(delta[:, t, :, None] * a) * h + (delta * u)[:, t, :, None] * b[:, t, None]
            rows.append((h * c[:, t, None]).sum(-1) + d * u[:, t])
        means = [torch.stack(means, 1).detach()] if window else []
        return torch.stack(rows, 1) * z * torch.sigmoid(z), h.detach(), *means


def tiny(kind, seed=0, **sizes):
    """A small model whose norms, D and biases are not at their initial ones and zeros."""
    torch.manual_seed(seed)
    model = Mamba(Config(**{"hidden_size": 24, "num_hidden_layers": 2, "state_size": 5, **sizes}), kind)
    with torch.no_grad():
        for p in model.parameters():
            p += 0.1 * torch.randn_like(p)
    return model


def random_state(model, batch):
    return [(torch.randn_like(before), torch.randn_like(h)) for before, h in model.zero_state(batch)]


def outcome(model, kind, dtype, tokens, state):
    """Logits, states and gradients of model with the kernels kind in dtype, all as float64."""
    model = model.to(dtype)
    model.kernels = kind
    model.zero_grad()
    logits, after = model(tokens, [(before.to(dtype), h.to(dtype)) for before, h in state])
    F.cross_entropy(logits[:, :-1].flatten(0, 1), tokens[:, 1:].flatten()).backward()
    found = {"logits": logits.detach()}
    found.update({f"state {i}": x for i, x in enumerate(x for pair in after for x in pair)})
    found.update({f"gradient of {name}": p.grad for name, p in model.named_parameters()})
    return {name: x.double() for name, x in found.items()}


class Kernels(unittest.TestCase):
    def compare(self, got, want, tolerance):
        for name, x in want.items():
            error = (got[name] - x).norm() / x.norm()
            self.assertLess(error, tolerance, name)

    def test_scan_equals_loop(self):
        """Both kernels against autograd through a plain loop in float64: outputs, states and
        every gradient, at lengths on both sides of the chunk and of the convolution's taps."""
        torch_kernels, native = kernels.Torch(), kernels.Native()
        for length in (2, 3, 31, 32, 33, 75):
            with self.subTest(length=length):
                model = tiny(None)
                tokens, state = torch.randint(257, (3, length)), random_state(model, 3)
                want = outcome(model, Loop(), torch.float64, tokens, state)
                self.compare(outcome(model, torch_kernels, torch.float64, tokens, state), want, 1e-12)
                self.compare(outcome(model, torch_kernels, torch.float32, tokens, state), want, 3e-6)
                self.compare(outcome(model, native, torch.float32, tokens, state), want, 3e-6)

    def test_extreme_inputs_stay_finite(self):
        """Time steps and gates far outside of what training reaches, against float64."""
        native, B, T, E, N = kernels.Native(), 1, 40, 8, 16
        extremes = torch.tensor([-200.0, -90, -30, 0, 15, 80, 100, 300])
        dt, z = extremes.repeat(B, T, 1), extremes.flip(0).repeat(B, T, 1)
        u, b, c = torch.randn(B, T, E), torch.randn(B, T, N), torch.randn(B, T, N)
        a, d, h = -torch.arange(1.0, N + 1).repeat(E, 1), torch.ones(E), torch.randn(B, E, N)
        inputs = [x.requires_grad_() for x in (dt, u, z, b, c, a, d)]
        y, last = native.scan(*inputs, h)
        want, want_last = kernels.Torch().scan(*(x.double() for x in inputs), h.double())
        torch.testing.assert_close(y.double(), want, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(last.double(), want_last, rtol=1e-4, atol=1e-5)
        y.sum().backward()
        for x in inputs:
            self.assertTrue(torch.isfinite(x.grad).all())

    def test_split_equals_whole(self):
        tokens = torch.randint(257, (2, 64))
        for kind in (kernels.Torch(), kernels.Native()):
            model = tiny(kind)
            with torch.no_grad():
                whole, end = model(tokens, model.zero_state(2))
                state, parts = model.zero_state(2), []
                for part in tokens.split([1, 2, 33, 28], 1):
                    logits, state = model(part, state)
                    parts.append(logits)
            torch.testing.assert_close(torch.cat(parts, 1), whole, rtol=1e-4, atol=1e-5)
            for got, want in zip(state, end):
                torch.testing.assert_close(got, want, rtol=1e-4, atol=1e-5)

    def test_native_refuses_what_it_cannot_do(self):
        tokens, native = torch.zeros(1, 4, dtype=torch.long), kernels.Native()
        for model, message in ((tiny(native, hidden_size=12), "12 channels"), (tiny(native).double(), "float64")):
            with self.assertRaisesRegex(ValueError, message):
                model(tokens, model.zero_state(1))

    def test_unknown_name(self):
        with self.assertRaisesRegex(ValueError, "fast"):
            kernels.make("fast")


class Data(unittest.TestCase):
    def test_epoch_reads_every_piece_once(self):
        text = np.arange(1000)
        batches = data.Batches(text, batch=3, length=4, segments=5, seed=7)
        for epoch in range(2):
            starts = sorted(batches.start(epoch * batches.pieces + i) for i in range(batches.pieces))
            self.assertEqual({b - a for a, b in zip(starts, starts[1:])}, {20})
            self.assertTrue(0 <= starts[0] and starts[-1] + 20 < len(text))

    def test_lanes_go_on_or_start_anew(self):
        batches = data.Batches(np.arange(5000), batch=4, length=8, segments=6, seed=1)
        before = None
        for step in range(30):
            tokens, targets, keep = batches(step)
            self.assertTrue(torch.equal(tokens[:, 1:], targets[:, :-1]))
            for lane in range(4):
                if keep[lane]:
                    self.assertEqual(tokens[lane, 0], before[lane, -1])
            self.assertLess(len(keep) - keep.sum(), 4 if step else 5, "lanes change pieces at different steps")
            before = targets

    def test_short_text(self):
        with self.assertRaisesRegex(ValueError, "fewer than two pieces"):
            data.Batches(np.arange(50), batch=1, length=8, segments=6, seed=1)


class InFolder(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)


class Files(InFolder):
    def test_export_round_trip(self):
        model = tiny(kernels.Torch())
        hf.export(model, self.folder)
        again = hf.load(self.folder, kernels.Torch())
        self.assertEqual(again.config, model.config)
        for (name, p), q in zip(model.state_dict().items(), again.state_dict().values()):
            self.assertTrue(torch.equal(p.half().float(), q), name)
        self.assertEqual(sorted(p.name for p in self.folder.iterdir()),
                         ["config.json", "model.safetensors", "tokenizer.json"])

    def test_load_names_the_wrong_tensor(self):
        hf.export(tiny(kernels.Torch()), self.folder)
        tensors = hf.load_tensors(self.folder / "model.safetensors")
        for name, x, message in (("backbone.norm_f.weight", np.zeros(3, np.float16), r"\(3,\), not \(24,\)"),
                                 ("lm_head.weight", np.zeros((1, 1), np.float16), r"\(1, 1\), not None")):
            hf.save_tensors(self.folder / "model.safetensors", {**tensors, name: x})
            with self.assertRaisesRegex(ValueError, f"model.safetensors: {name}: shape is {message}"):
                hf.load(self.folder, kernels.Torch())

    def test_safetensors_layout(self):
        path = self.folder / "x.safetensors"
        want = {"b": np.arange(6, dtype=np.float32).reshape(2, 3), "a": np.array([7], np.int32)}
        hf.save_tensors(path, want)
        raw = path.read_bytes()
        size = int.from_bytes(raw[:8], "little")
        self.assertEqual((size % 8, len(raw)), (0, 8 + size + 28))
        self.assertEqual(json.loads(raw[8:8 + size])["b"], {"dtype": "F32", "shape": [2, 3], "data_offsets": [4, 28]})
        for name, x in hf.load_tensors(path).items():
            np.testing.assert_array_equal(x, want[name])
        path.write_bytes(raw[:-1])
        with self.assertRaisesRegex(ValueError, "x.safetensors: b: offsets"):
            hf.load_tensors(path)
        path.write_bytes(b"\xff" * 16)
        with self.assertRaisesRegex(ValueError, "header"):
            hf.load_tensors(path)

    def test_weight_too_large_for_float16(self):
        model = tiny(kernels.Torch())
        model.backbone.norm_f.weight.data[0] = 1e6
        with self.assertRaisesRegex(ValueError, "backbone.norm_f.weight"):
            hf.export(model, self.folder)

    def test_tokenizer_is_the_bytes(self):
        t = hf.tokenizer()
        vocab = t["model"]["vocab"]
        self.assertEqual(sorted(vocab.values()), list(range(256)))
        self.assertEqual([vocab[s] for s in "AzĠĊ"], [65, 122, 32, 10])
        self.assertEqual([a["id"] for a in t["added_tokens"]], [data.END])

    def test_golden(self):
        """The golden's logits are those of the exported weights, and greedy follows from them."""
        hf.export(tiny(kernels.Torch()), self.folder)
        golden.write(self.folder, TEXT[:40].encode(), 5, self.folder / "golden.safetensors")
        g = hf.load_tensors(self.folder / "golden.safetensors")
        self.assertEqual(bytes(g["tokens"].astype(np.uint8)), TEXT[:40].encode())
        model = hf.load(self.folder, Loop(), torch.float64)
        tokens = torch.from_numpy(np.concatenate([g["tokens"][:golden.PROMPT], g["greedy"]])).long()[None]
        with torch.no_grad():
            logits, _ = model(torch.tensor(g["tokens"]).long()[None], model.zero_state(1))
            greedy, _ = model(tokens, model.zero_state(1))
        np.testing.assert_allclose(g["logits"], logits[0].numpy(), atol=1e-6)
        np.testing.assert_array_equal(g["greedy"], greedy[0, golden.PROMPT - 1:-1].argmax(-1).numpy())

    def test_agrees_with_the_engines_golden(self):
        """Logits that were computed independently of this tool, from a Hugging Face directory."""
        folder = pathlib.Path(__file__).parents[2] / "testdata/golden/mamba-tiny"
        g = hf.load_tensors(folder / "golden.safetensors")
        for kind, dtype, tolerance in ((kernels.Torch(), torch.float64, 2e-6), (kernels.Native(), torch.float32, 1e-4)):
            model = hf.load(folder, kind, dtype)
            with torch.no_grad():
                logits, _ = model(torch.tensor(g["tokens"]).long()[None], model.zero_state(1))
            np.testing.assert_allclose(logits[0].numpy(), g["logits"], atol=tolerance, rtol=0)

    def test_bits_per_byte(self):
        """A model that knows nothing needs log2 of the vocabulary for every byte."""
        model = tiny(kernels.Torch())
        model.backbone.embeddings.weight.data.zero_()
        texts = [np.array([data.END, 1, 2, 3]), np.arange(100)]
        self.assertAlmostEqual(evaluate.bits_per_byte(model, texts, chunk=7), math.log2(257), places=5)


class Training(InFolder):
    def run_for(self, steps, *more):
        args = ["--data", str(self.folder), "--out", str(self.folder / "model"), "--device", "cpu",
                "--checkpoint", str(self.folder / "run.pt"), "--steps", str(steps), "--hidden-size", "16",
                "--layers", "2", "--batch", "4", "--length", "32", "--segments", "3", "--warmup", "5", "--lr", "1e-2"]
        (self.folder / "a.txt").write_text(TEXT * 20)
        return train.Run(train.arguments(args + list(more)))

    def quietly(self, run):
        return train.train(run, lambda line: None)

    def test_overfits_a_sentence(self):
        run = self.run_for(300)
        losses = self.quietly(run)
        self.assertGreater(losses[0], 5)
        self.assertLess(losses[-1], 0.2)
        hf.export(run.model, run.args.out)
        text = np.frombuffer(b"".join([TEXT.encode()] * 10), np.uint8).astype(np.int64)
        bits = evaluate.bits_per_byte(hf.load(run.args.out, kernels.Torch()), [text])
        self.assertLess(bits, 1)

    def test_resume_goes_on_as_if_never_stopped(self):
        whole = self.run_for(12)
        want = self.quietly(whole)
        first = self.run_for(12)
        got = [first.advance() for _ in range(7)]
        first.save()
        second = self.run_for(12)
        second.load()
        got += self.quietly(second)
        self.assertEqual(got, want)
        for p, q in zip(whole.model.parameters(), second.model.parameters()):
            self.assertTrue(torch.equal(p, q))

    def test_resume_with_other_sizes(self):
        self.run_for(1).save()
        for option, message in (("--layers", "'num_hidden_layers': 2"), ("--batch", "--batch 4, not 3")):
            with self.assertRaisesRegex(ValueError, f"run.pt: made with .*{message}"):
                self.run_for(1, option, "3").load()

    def test_loss_that_is_not_finite(self):
        run = self.run_for(3)
        run.model.backbone.norm_f.weight.data[0] = math.inf
        with self.assertRaisesRegex(ValueError, "step 0: the loss is nan"):
            run.advance()

    def test_wrong_arguments(self):
        wrong = io.StringIO()
        for option, value in (("--batch", "0"), ("--lr", "-1"), ("--layers", "two")):
            with contextlib.redirect_stderr(wrong), self.assertRaises(SystemExit) as exit:
                self.run_for(1, option, value)
            self.assertEqual(exit.exception.code, 2)
            self.assertRegex(wrong.getvalue(), f"{option}: invalid positive (int|float) value: '{value}'")

    def test_errors_are_one_line(self):
        def main():
            data.read_files(self.folder)

        with self.assertRaises(SystemExit) as exit:
            cli.run(main)
        self.assertRegex(exit.exception.code, f"^[^\n]*: {self.folder}: no .txt files$")

    def test_export_of_a_checkpoint(self):
        run = self.run_for(2)
        self.quietly(run)
        with contextlib.redirect_stdout(io.StringIO()):
            export.main(["--checkpoint", run.args.checkpoint, "--out", run.args.out])
        again = hf.load(run.args.out, kernels.Torch())
        for p, q in zip(run.model.parameters(), again.parameters()):
            self.assertTrue(torch.equal(p.half().float(), q))

    def test_only_projections_decay(self):
        run = self.run_for(1)
        decayed, kept = (sum(p.numel() for p in g["params"]) for g in run.optimizer.param_groups)
        self.assertEqual(decayed + kept, sum(p.numel() for p in run.model.parameters()))
        self.assertEqual(decayed, sum(p.numel() for n, p in run.model.named_parameters() if n.endswith("_proj.weight")))
        self.assertEqual([g["weight_decay"] for g in run.optimizer.param_groups], [0.1, 0.0])


if __name__ == "__main__":
    unittest.main()
