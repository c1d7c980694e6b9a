"""Readers of books whose pools and states training sequences begin with.

A sequence that starts from nothing never meets a full pool: 512 tokens leave a few notes. So some
lanes read the books without a gradient, a little further in every step that uses them, and begin
again elsewhere after some thousand tokens. A sequence that starts where a lane stands has the notes
of all that the lane has read before it.
"""

import numpy as np
import torch
import torch.nn.functional as F

from memory import State


def join(states):
    """The states of several calls as one of all their sequences. Pools of fewer notes are filled
    up behind their last one; the count of each says where it ends."""
    if not isinstance(states[0], State):
        return [tuple(map(torch.cat, zip(*parts))) for parts in zip(*states)]
    layers = []
    for parts in zip(*(state.layers for state in states)):
        mamba, pools = zip(*parts)
        width = max(summaries.shape[1] for summaries, _, _ in pools)
        more = [width - summaries.shape[1] for summaries, _, _ in pools]
        layers.append((tuple(map(torch.cat, zip(*mamba))), (
            torch.cat([F.pad(s, (0, 0, 0, n)) for (s, _, _), n in zip(pools, more)]),
            torch.cat([F.pad(i, (0, n), value=1.0) for (_, i, _), n in zip(pools, more)]),
            torch.cat([count for _, _, count in pools]))))
    return State(max(state.position for state in states), layers)


def split(state):
    """The states of the single sequences of state, the inverse of join."""
    if not isinstance(state, State):
        return [[(conv[i:i + 1], h[i:i + 1]) for conv, h in state] for i in range(len(state[0][0]))]
    return [State(state.position, [(tuple(x[i:i + 1] for x in mamba), tuple(x[i:i + 1] for x in pool))
                                   for mamba, pool in state.layers])
            for i in range(len(state.layers[0][1][2]))]


class Lanes:
    """count lanes over the tokens of books. Each reads between a quarter of limit and limit tokens
    from where it begins. Where they begin follows from the seed and the step."""

    def __init__(self, model, books, count, limit, seed):
        self.books, self.limit, self.seed = books, limit, seed
        self.model, self.states = model, [model.zero_state(1) for _ in range(count)]
        self.places, self.ages, self.goals = [0] * count, [0] * count, [0] * count
        for lane in range(count):
            self.begin(lane, np.random.RandomState([seed, 0, 7, lane]))

    def begin(self, lane, random):
        """Puts a lane at a new place, with nothing read."""
        self.states[lane], self.ages[lane] = self.model.zero_state(1), 0
        self.goals[lane] = int(self.limit * random.uniform(0.25, 1))
        self.places[lane] = random.randint(max(1, len(self.books) - 2 * self.limit))

    def draw(self, random, count):
        """Lanes for a number of sequences, all different as long as there are enough."""
        order = random.permutation(len(self.states))
        return [int(order[i % len(order)]) for i in range(count)]

    def start(self, lanes):
        """The state that sequences begin with which follow what these lanes have read."""
        return join([self.states[lane] for lane in lanes])

    @torch.no_grad()
    def advance(self, lanes, tokens, step):
        """Each of these lanes reads on, together about the given number of tokens, and begins elsewhere when
        it has read enough."""
        lanes, window = sorted(set(lanes)), self.model.window
        piece = max(1, tokens // len(lanes) // window) * window
        rows = np.stack([self.books[self.places[lane]:self.places[lane] + piece] for lane in lanes])
        device = self.model.backbone.embeddings.weight.device
        _, state = self.model(torch.from_numpy(rows).to(device), self.start(lanes))
        for lane, after in zip(lanes, split(state)):
            self.states[lane] = after
            self.places[lane] += piece
            self.ages[lane] += piece
            if isinstance(after, State):
                after.position = self.ages[lane]  # not that of the oldest, which join gave to all
            if self.ages[lane] >= self.goals[lane]:
                self.begin(lane, np.random.RandomState([self.seed, step, 7, lane]))

    def kept(self):
        """What a checkpoint keeps of the lanes."""
        return {"states": self.states, "places": self.places, "ages": self.ages, "goals": self.goals}

    def restore(self, kept):
        for name, value in kept.items():
            setattr(self, name, value)
