"""Tests of training that begins with a shallower Mamba: python3 -m unittest, in this folder."""

import unittest

import torch

import deepen
import hf
import kernels
import train_memory
from model import Config, Mamba
from test_passkey import Runs

torch.set_num_threads(1)


class Deepened(Runs):
    def shallow(self, **sizes):
        torch.manual_seed(3)
        model = Mamba(Config(hidden_size=16, num_hidden_layers=2, **sizes), kernels.Torch())
        hf.export(model, self.folder / "shallow")
        return hf.load(self.folder / "shallow", kernels.Torch())

    def begun(self, *more):
        return self.run_for(2, "--layers", "5", "--from", str(self.folder / "shallow"), *more)

    def test_predicts_what_the_shallow_one_did(self):
        shallow = self.shallow()
        tokens = torch.randint(257, (2, 100), generator=torch.Generator().manual_seed(1))
        for more in ([], ["--twin"], ["--reads", "0.1,0.9"]):
            run = self.begun(*more)
            self.assertEqual(run.cost, train_memory.UNKNOWN, "no answer is good yet")
            with torch.no_grad():
                want, _ = shallow(tokens, shallow.zero_state(2))
                got, _ = run.model(tokens, run.model.zero_state(2))
                torch.testing.assert_close(got, want, rtol=1e-4, atol=1e-5)
                run.model.backbone.layers[0].mixer.out_proj.weight.zero_()
                got, _ = run.model(tokens, run.model.zero_state(2))
            self.assertFalse(torch.allclose(got, want, rtol=1e-4, atol=1e-5), "the first layer says nothing")

    def test_given_weights_learn_slower(self):
        self.shallow()
        for more in ([], ["--reads", "0.1,0.9"]):
            run = self.begun("--base-rate", "0.25", *more)
            scales = {id(p): group.get("scale", 1) for group in run.optimizer.param_groups for p in group["params"]}
            self.assertEqual(len(scales), len(list(run.model.parameters())), "every parameter is in one group")
            layers = run.model.backbone.layers
            for place, layer in enumerate(layers):
                self.assertEqual(scales[id(layer.mixer.in_proj.weight)], 0.25 if place in (0, 2) else 1)
                self.assertEqual(scales[id(layer.memory.note_proj.weight)], 1)
            self.quietly(run)
            again = self.begun("--base-rate", "0.25", "--resume", *more)
            again.load()
            for p, q in zip(run.model.parameters(), again.model.parameters()):
                self.assertTrue(torch.equal(p, q))

    def test_layers_are_spread(self):
        self.assertEqual(deepen.places(6, 24), [0, 4, 8, 12, 16, 20])
        self.assertEqual(deepen.places(2, 5), [0, 2])
        self.assertEqual(deepen.places(3, 3), [0, 1, 2])

    def test_other_sizes_do_not_fit(self):
        self.shallow(state_size=8)
        with self.assertRaisesRegex(ValueError, "shallow: is .*'state_size': 8.*, not .*'state_size': 16"):
            self.begun()
        self.shallow()
        with self.assertRaisesRegex(ValueError, "shallow: is .*'num_hidden_layers': 2"):
            self.run_for(1, "--layers", "1", "--from", str(self.folder / "shallow"))


if __name__ == "__main__":
    unittest.main()
