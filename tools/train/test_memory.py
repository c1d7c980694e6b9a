"""Tests of MemMamba: python3 -m unittest, in this folder. They take seconds."""

import pathlib
import unittest

import numpy as np
import torch
import torch.nn.functional as F

import evaluate
import hf
import kernels
import retrieve
from memory import MemMamba, MemoryConfig
from test_train import Loop

torch.set_num_threads(1)

GOLDEN = pathlib.Path(__file__).parents[2] / "testdata/golden"


def tiny(kind, seed=0, **sizes):
    """A small model whose memory speaks: every weight is moved away from its initial value."""
    torch.manual_seed(seed)
    sizes = {"vocab_size": 40, "hidden_size": 24, "num_hidden_layers": 4, "state_size": 5, "memory_summary_dim": 6,
             "memory_pool_size": 5, "memory_window": 32, "cross_layer_period": 2, "memory_fusion": "gated",
             "memory_replacement": "priority", **sizes}
    model = MemMamba(MemoryConfig(**sizes), kind)
    with torch.no_grad():
        for name, p in model.named_parameters():
            p += 0.3 * torch.randn_like(p)
            if name.endswith("state_score.bias"):
                p.zero_()  # about half of the windows read
    return model


def slow_pool(importance, noted, count, window, size, priority):
    """The contract's words, one note after the other: a pool's places at every window's start."""
    past, tables = len(importance) - len(noted), []
    pool = list(range(count))
    for t in range(len(noted) + 1):
        if t % window == 0 or t == len(noted):
            for new in range(past + max(0, (t - 1) // window * window), past + t):
                if not noted[new - past]:
                    continue
                if len(pool) < size:
                    pool.append(new)
                    continue
                least = min(pool, key=lambda i: (importance[i], i)) if priority else pool[0]
                if not priority or importance[new] > importance[least]:
                    pool.remove(least)
                    pool.append(new)
            tables.append(list(pool))
    return tables


class Pools(unittest.TestCase):
    def test_commit_equals_the_rule(self):
        """Few different importances, so that many are equal; lengths on both sides of a window."""
        random = torch.Generator().manual_seed(3)
        for priority in (False, True):
            for T, window, size, past in ((1, 1, 1, 0), (40, 1, 3, 2), (63, 64, 5, 5), (65, 64, 8, 0), (200, 16, 7, 7)):
                B = 3
                importance = torch.randint(1, 9, (B, past + T), generator=random) / 8
                noted = torch.rand(B, T, generator=random) < 0.6
                counts = torch.randint(past + 1, (B,), generator=random)
                table, count = kernels.commit(importance, noted, counts, window, size, priority)
                for b in range(B):
                    want = slow_pool(importance[b].tolist(), noted[b].tolist(), int(counts[b]), window, size, priority)
                    got = [table[b, w, :count[b, w]].tolist() for w in range(table.shape[1])]
                    self.assertEqual(got, want, (priority, T, window, size, past))


class Scores(unittest.TestCase):
    """The scan's windows: keep and the means of the state at their starts."""

    def outcome(self, kind, dtype, T, window):
        torch.manual_seed(T)
        B, E, N = 3, 16, 5
        leaves = [torch.randn(B, T, E), torch.randn(B, T, E), torch.randn(B, T, E), torch.randn(B, T, N),
                  torch.randn(B, T, N), -torch.rand(E, N), torch.randn(E)]
        h, weight = torch.randn(B, E, N), torch.randn(B, T, E)
        keep = (torch.rand(B, -(-T // window)) < 0.5).to(dtype)
        leaves = [x.to(dtype).requires_grad_() for x in leaves]
        y, last, mean = kind.scan(*leaves, h.to(dtype), window, keep)
        (y * weight.to(dtype)).sum().backward()
        return [x.detach().double() for x in (y, last, mean, *(x.grad for x in leaves))]

    def test_windows_equal_loop(self):
        for T in (32, 33, 64, 96, 150):
            want = self.outcome(Loop(), torch.float64, T, 32)
            for kind, dtype, tolerance in ((kernels.Torch(), torch.float64, 1e-12), (kernels.Native(), torch.float32, 3e-6)):
                for i, (got, x) in enumerate(zip(self.outcome(kind, dtype, T, 32), want)):
                    self.assertLess((got - x).norm() / x.norm(), tolerance, (T, type(kind).__name__, i))

    def test_native_refuses_a_window_that_cuts_its_chunks(self):
        x = torch.zeros(1, 4, 8)
        with self.assertRaisesRegex(ValueError, "multiple of 32, not 48"):
            kernels.Native().scan(x, x, x, x, x, torch.zeros(8, 8), torch.zeros(8), torch.zeros(1, 8, 8), 48)


class Models(unittest.TestCase):
    def test_agrees_with_the_engines_goldens(self):
        """Logits, pools, importances and reads that were computed independently of this tool: a
        queue with concat, priority with mean and gates, windows of one token with max."""
        for name in ("memmamba-fifo", "memmamba-priority", "memmamba-token"):
            golden = hf.load_tensors(GOLDEN / name / "golden.safetensors")
            model = hf.load(GOLDEN / name, kernels.Torch(), torch.float64)
            with torch.no_grad():
                logits, _ = model(torch.tensor(golden["tokens"]).long()[None], model.zero_state(1))
            np.testing.assert_allclose(logits[0].numpy(), golden["logits"], atol=2e-6, rtol=0)
            np.testing.assert_array_equal(model.asked()[0].numpy(), golden["reads"])
            for layer, (notes, _) in enumerate(model.trace):
                summaries, importance, taken = (x[0, -1] for x in notes.held())
                self.assertEqual(int(taken.sum()), golden["pool_count"][layer])
                np.testing.assert_allclose(summaries[taken].numpy(), golden[f"pool.{layer}"], atol=1e-5)
                np.testing.assert_allclose(importance[taken].numpy(), golden[f"importance.{layer}"], atol=1e-6)

    def test_split_equals_whole(self):
        """Calls that end at windows' ends, in a batch, with both kernels."""
        tokens = torch.randint(40, (3, 150), generator=torch.Generator().manual_seed(5))
        for kind in (kernels.Torch(), kernels.Native()):
            model = tiny(kind)
            with torch.no_grad():
                whole, _ = model(tokens, model.zero_state(3))
                asked = model.asked()
                state, parts = model.zero_state(3), []
                for part in tokens.split([32, 64, 32, 22], 1):
                    logits, state = model(part, state)
                    parts.append(logits)
            torch.testing.assert_close(torch.cat(parts, 1), whole, rtol=1e-4, atol=1e-4)
            self.assertTrue(0.1 < asked[:, 1:].float().mean() < 0.9, "some windows read, some do not")
            with self.assertRaisesRegex(ValueError, "token 150 lies inside of a window of 32"):
                model(tokens[:, :1], state)

    def test_measures_cut_where_windows_end(self):
        model, text = tiny(kernels.Torch(), vocab_size=257, memory_window=24), np.arange(150) % 40
        whole, cut = (evaluate.bits_per_byte(model, [text], chunk) for chunk in (1000, 60))
        self.assertAlmostEqual(whole, cut, places=5)
        self.assertEqual(retrieve.accuracy(model, 130, 1, 2, 1, chunk=60), retrieve.accuracy(model, 130, 1, 2, 1))

    def test_batch_equals_one_by_one(self):
        model, tokens = tiny(kernels.Torch()).double(), torch.randint(40, (4, 100))
        with torch.no_grad():
            together, _ = model(tokens, model.zero_state(4))
            for row, want in zip(tokens, together):
                torch.testing.assert_close(model(row[None], model.zero_state(1))[0][0], want)

    def test_no_output_projection_is_mamba(self):
        model, tokens = tiny(kernels.Torch()).double(), torch.randint(40, (2, 100))
        for name, p in model.named_parameters():
            if name.endswith("o_proj.weight"):
                p.data.zero_()
        plain = hf.Mamba(hf.Config(**{k: v for k, v in vars(model.config).items() if k in hf.Config.__dataclass_fields__}),
                         model.kernels).double()
        plain.load_state_dict({k: v for k, v in model.state_dict().items() if ".memory." not in k})
        with torch.no_grad():
            torch.testing.assert_close(model(tokens, model.zero_state(2))[0], plain(tokens, plain.zero_state(2))[0])

    def test_native_gradients(self):
        """Every gradient by the C loops against PyTorch's in float64, with a dropped state."""
        tokens = torch.randint(40, (3, 97), generator=torch.Generator().manual_seed(5))
        keep = torch.tensor([[1.0, 0, 1, 1], [1, 1, 0, 0], [0, 1, 1, 1]])
        found = []
        for kind, dtype in ((kernels.Torch(), torch.float64), (kernels.Native(), torch.float32)):
            model = tiny(kind).to(dtype)
            logits, _ = model(tokens, model.zero_state(3), keep.to(dtype))
            F.cross_entropy(logits[:, :-1].flatten(0, 1), tokens[:, 1:].flatten()).backward()
            found.append((logits.detach(), model.asked(),
                          {name: p.grad.double() for name, p in model.named_parameters() if p.grad is not None}))
        (logits, asked, want), (other, other_asked, got) = found
        self.assertTrue(torch.equal(asked, other_asked))
        torch.testing.assert_close(other.double(), logits, rtol=1e-4, atol=1e-4)
        self.assertEqual(got.keys(), want.keys())
        for name, x in want.items():
            self.assertLess((got[name] - x).norm(), 1e-4 * x.norm() + 1e-7, name)

    def test_gradient_of_a_read(self):
        """The score of the state learns as if it had been the factor of what was read."""
        model = tiny(kernels.Torch(), num_hidden_layers=1, cross_layer_period=1).double()
        tokens = torch.randint(40, (1, 64), generator=torch.Generator().manual_seed(8))
        model(tokens, model.zero_state(1))[0].logsumexp(-1).sum().backward()
        memory = model.backbone.layers[0].memory
        got, step = memory.state_score.bias.grad.item(), 1e-6
        score, losses = memory.state_score, []
        held = model.asked()[..., 0]
        for sign in (-1, 1):
            with torch.no_grad():
                layer = model.backbone.layers[0]
                r = model.backbone.embeddings(tokens)
                x = layer.norm(r, model.kernels)
                notes = memory.take(x, model.zero_state(1).layers[0][1])
                own = memory.token_attn(x.view(1, 2, 32, -1), *notes.held())
                factor = held.double() + sign * step
                fused = x + (own * factor[..., None, None]).view(1, 64, -1)
                state = model.zero_state(1).layers[0][0]
                out, _, mean = layer.mixer(fused, state, model.kernels, 32)
                logits = F.linear(model.backbone.norm_f(r + out, model.kernels), model.backbone.embeddings.weight)
                losses.append(logits.logsumexp(-1).sum().item())
                value = torch.sigmoid(mean[0, 1] @ score.weight + score.bias)
        slope = (losses[1] - losses[0]) / (2 * step)
        self.assertAlmostEqual(got, (slope * value * (1 - value)).item(), delta=1e-5 * abs(got) + 1e-7)


if __name__ == "__main__":
    unittest.main()
