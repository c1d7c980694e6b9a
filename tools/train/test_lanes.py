"""Tests of carried pools and states and of the trigger's start: python3 -m unittest, in this folder."""

import unittest

import numpy as np
import torch

import kernels
import lanes
import reads
from model import Config, Mamba
from test_memory import tiny

torch.set_num_threads(1)


def small_mamba():
    torch.manual_seed(1)
    return Mamba(Config(vocab_size=40, hidden_size=16, num_hidden_layers=2, state_size=4), kernels.Torch()).double()


class Joined(unittest.TestCase):
    def test_sequences_of_other_ages_go_on_as_alone(self):
        """Pools of different sizes side by side, with and without memory."""
        random = torch.Generator().manual_seed(2)
        for model in (tiny(kernels.Torch()).double(), small_mamba()):
            before = [torch.randint(40, (1, n), generator=random) for n in (0, 32, 256)]
            after = torch.randint(40, (3, 70), generator=random)
            with torch.no_grad():
                states = [model(x, model.zero_state(1))[1] if x.numel() else model.zero_state(1) for x in before]
                want = [model(row[None], state)[0][0] for row, state in zip(after, states)]
                joined = lanes.join(states)
                got, ended = model(after, joined)
                again = [model(after[:1, :32], state)[0] for state in lanes.split(joined)]
                alone = [model(after[:1, :32], state)[0] for state in states]
            for pair in zip(got, want):
                torch.testing.assert_close(*pair)
            for pair in zip(again, alone):
                torch.testing.assert_close(*pair)

    def test_gradient_passes_the_padding(self):
        """The pool of an empty lane is filled up; no gradient of it may be lost or be no number."""
        model, random = tiny(kernels.Torch()).double(), torch.Generator().manual_seed(2)
        with torch.no_grad():
            full = model(torch.randint(40, (1, 128), generator=random), model.zero_state(1))[1]
        model(torch.randint(40, (2, 96), generator=random), lanes.join([model.zero_state(1), full]))[0].logsumexp(-1).sum().backward()
        for name, p in model.named_parameters():
            self.assertTrue(p.grad is None or torch.isfinite(p.grad).all(), name)


class Reading(unittest.TestCase):
    def make(self, limit=256):
        self.model = tiny(kernels.Torch(), vocab_size=257).double()
        self.books = np.random.RandomState(4).randint(256, size=9000)
        return lanes.Lanes(self.model, self.books, 3, limit, seed=5)

    def test_lanes_hold_what_was_read(self):
        """Each lane's state is that after the text from its beginning to where it stands."""
        found, begun = self.make(4096), None
        begun = list(found.places)
        found.advance([0, 2], 256, 1)
        found.advance([2, 1, 2], 128, 2)
        self.assertEqual([now - then for now, then in zip(found.places, begun)], [128, 64, 192])
        self.assertEqual(found.ages, [128, 64, 192])
        follow = torch.randint(256, (3, 64))
        with torch.no_grad():
            got = self.model(follow, found.start([0, 1, 2]))[0]
            for lane in range(3):
                text = torch.from_numpy(np.concatenate([self.books[begun[lane]:found.places[lane]], follow[lane]]))
                want = self.model(text[None], self.model.zero_state(1))[0][0, -64:]
                torch.testing.assert_close(got[lane], want)

    def test_lanes_begin_again(self):
        found = self.make()
        for step in range(40):
            found.advance([0, 1, 2], 3 * 32, step)
            for lane in range(3):
                self.assertLess(found.ages[lane], found.goals[lane])
                self.assertTrue(64 <= found.goals[lane] <= 256)
                self.assertEqual(found.states[lane].position, found.ages[lane])
                self.assertLess(found.places[lane] + 256, len(self.books))

    def test_draw_takes_different_lanes_first(self):
        found = self.make()
        for count in range(1, 8):
            drawn = found.draw(np.random.RandomState(count), count)
            self.assertEqual(len(drawn), count)
            self.assertEqual(len(set(drawn)), min(count, 3))


class Trigger(unittest.TestCase):
    def test_spread_makes_the_score_decide(self):
        """A score that is nearly a constant opens always; spread, it opens in about half of the windows."""
        model, tokens = tiny(kernels.Torch()).double(), torch.randint(40, (6, 320))
        with torch.no_grad():
            for score in reads.scores(model):
                score.weight *= 1e-3
                score.bias.fill_(1)
            model(tokens, model.zero_state(6))
            self.assertTrue(model.asked()[:, 1:].all())
        reads.spread(model, tokens, rounds=3)
        with torch.no_grad():
            model(tokens, model.zero_state(6))
        for found in reads.logits(model):
            self.assertLess(abs(found.mean()), 0.15)
            self.assertLess(abs(found.std() - 1), 0.15)

    def test_hold_moves_the_bias_back(self):
        model, tokens = tiny(kernels.Torch()).double(), torch.randint(40, (2, 320))
        with torch.no_grad():
            for score, bias in zip(reads.scores(model), (9, -9, 0, 0)):
                score.weight *= 1e-3
                score.bias.fill_(bias)
            model(tokens, model.zero_state(2))
        share = [0.5] * 4
        reads.hold(model, share, 0.499, 0.501, torch.tensor([True, False]))
        reads.hold(model, share, 0.499, 0.501, torch.tensor([False, False]))
        biases = [score.bias.item() for score in reads.scores(model)]
        self.assertAlmostEqual(biases[0], 9 - reads.STEP)
        self.assertAlmostEqual(biases[1], -9 + reads.STEP)
        self.assertAlmostEqual(share[0], 0.525)
        self.assertAlmostEqual(share[1], 0.475)

    def test_shut_windows_read_nothing_and_learn(self):
        """A shut window reads as one whose score is low; its score keeps its gradient."""
        model, tokens = tiny(kernels.Torch(), num_hidden_layers=1, cross_layer_period=1).double(), torch.randint(40, (1, 128))
        score = reads.scores(model)[0]
        with torch.no_grad():
            score.bias.fill_(9)
            score.weight.zero_()
            score.weight += 1e-3
        shut = torch.tensor([[[False, True, True, True]]])
        got = model(tokens, model.zero_state(1), None, shut)[0]
        got.logsumexp(-1).sum().backward()
        self.assertTrue(model.asked()[:, 1:].all())
        self.assertGreater(abs(score.bias.grad.item()), 0)
        with torch.no_grad():
            score.bias.fill_(-9)
            torch.testing.assert_close(got.detach(), model(tokens, model.zero_state(1))[0])

    def test_the_scores_rate_follows_their_size(self):
        model = tiny(kernels.Torch())
        with torch.no_grad():
            reads.scores(model)[1].weight.fill_(200)
        made = reads.optimizer(model, 0.1)
        held = [p for group in made.param_groups for p in group["params"]]
        self.assertEqual(sorted(map(id, held)), sorted(map(id, model.parameters())))
        scales = {id(p): group.get("scale", 1) for group in made.param_groups for p in group["params"]}
        self.assertAlmostEqual(scales[id(reads.scores(model)[1].weight)], 2000, places=2)
        self.assertEqual(scales[id(model.backbone.embeddings.weight)], 1)


if __name__ == "__main__":
    unittest.main()
