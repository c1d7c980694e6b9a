"""Tests of the Transformer's reference: python3 -m unittest, in this folder."""

import json
import math
import pathlib
import tempfile
import unittest

import numpy as np
import torch

import hf
import neox

GOLDENS = pathlib.Path(__file__).parents[2] / "testdata" / "golden"


class Parts(unittest.TestCase):
    """The parts against PyTorch's."""

    def setUp(self):
        self.random = np.random.default_rng(1)

    def test_layer_norm_and_gelu(self):
        x, weight, bias = (self.random.normal(2, 3, s) for s in ((5, 12), 12, 12))
        want = torch.nn.functional.layer_norm(torch.tensor(x), (12,), torch.tensor(weight), torch.tensor(bias), 1e-5)
        np.testing.assert_allclose(neox.layer_norm(x, weight, bias, 1e-5), want.numpy(), rtol=1e-12)
        np.testing.assert_allclose(neox.gelu(x), torch.nn.functional.gelu(torch.tensor(x)).numpy(), rtol=1e-10, atol=1e-15)

    def test_rotary_is_a_product_of_complex_numbers(self):
        count, base = 6, 100
        x = self.random.normal(size=(9, 2, 8))
        turned = neox.rotary(x, count, base)
        speeds = base ** (-np.arange(0, count, 2) / count)
        turns = np.exp(1j * np.arange(9)[:, None, None] * speeds)
        want = (x[..., :3] + 1j * x[..., 3:6]) * turns
        np.testing.assert_allclose(turned[..., :3] + 1j * turned[..., 3:6], want, rtol=1e-12)
        np.testing.assert_array_equal(turned[..., 6:], x[..., 6:])

    def test_attention(self):
        c = {"num_attention_heads": 2, "rotary_pct": 0, "rotary_emb_base": 100}
        x, weight = self.random.normal(size=(7, 10)), self.random.normal(size=(30, 10))
        w = {"query_key_value.weight": weight, "dense.weight": np.eye(10)}
        q, k, v = (torch.tensor(x @ weight.T).reshape(7, 2, 15)[..., i:i + 5].transpose(0, 1) for i in (0, 5, 10))
        scores = q @ k.transpose(1, 2) / math.sqrt(5)
        scores = scores.masked_fill(~torch.ones(7, 7, dtype=torch.bool).tril(), -math.inf)
        want = (scores.softmax(-1) @ v).transpose(0, 1).reshape(7, 10)
        np.testing.assert_allclose(neox.attention(x, w, "", c), want.numpy(), rtol=1e-10)


class Golden(unittest.TestCase):
    def test_committed(self):
        """The files in testdata are what this code computes of their weights."""
        for folder in sorted(GOLDENS.glob("neox-*")):
            c = json.loads((folder / "config.json").read_text())
            newer = c.get("rope_parameters")
            if newer:
                c |= {"rotary_pct": newer["partial_rotary_factor"], "rotary_emb_base": newer["rope_theta"]}
            w = {n: x.astype(np.float64) for n, x in hf.load_tensors(folder / "model.safetensors").items()}
            golden = hf.load_tensors(folder / "golden.safetensors")
            np.testing.assert_allclose(neox.logits(golden["tokens"], w, c), golden["logits"], rtol=1e-5, atol=1e-6)

    def test_command(self):
        with tempfile.TemporaryDirectory() as folder:
            neox.main(["--out", folder, "--hidden", "16", "--heads", "2", "--layers", "1", "--vocab", "20",
                       "--tokens", "40", "--greedy", "2", "--dtype", "float16", "--buffers", "--positions", "50"])
            tensors = hf.load_tensors(pathlib.Path(folder) / "model.safetensors")
            self.assertEqual(tensors["embed_out.weight"].dtype, np.float16)
            self.assertEqual(tensors["gpt_neox.layers.0.attention.bias"].shape, (1, 1, 50, 50))
            golden = hf.load_tensors(pathlib.Path(folder) / "golden.safetensors")
            self.assertEqual({n: x.shape for n, x in golden.items()}, {"tokens": (40,), "logits": (40, 20), "greedy": (2,)})


if __name__ == "__main__":
    unittest.main()
