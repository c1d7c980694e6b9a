"""MemMamba in PyTorch: Mamba whose layers leave notes in pools and read them back.

Nothing here goes from token to token. What a layer notes and when its pool changes depends on the
layers below alone, so a layer's pools, attention and scan run over all windows at once. Only
whether a window reads its own layer's pool depends on the state that the window before it left:
the layer first guesses, runs, compares the guess with what the state says, and runs again with
the answer until both agree. Every run makes at least one more window right, and one run is
usually enough.

Thresholds are hard, forward. Backward, a note's importance I learns through the ln I that the
attention adds to its score, and the decision to read through a straight-through factor.
"""

import dataclasses
import math

import torch
import torch.nn as nn
import torch.nn.functional as F

import kernels
from model import Config, Mamba, Mixer, RMSNorm


@dataclasses.dataclass
class MemoryConfig(Config):
    memory_summary_dim: int = 64
    memory_pool_size: int = 50
    memory_note_threshold: float = 0.5
    memory_state_threshold: float = 0.5
    memory_window: int = 64
    memory_replacement: str = "fifo"
    cross_layer_period: int = 4
    cross_layer_pooling: str = "concat"
    memory_fusion: str = "residual"


@dataclasses.dataclass
class Notes:
    """A layer's notes and which of them are in the pool when.

    summaries (B, M, S) and importance (B, M) of the pool before the first token and of every
    token, noted or not; table (B, windows + 1, K) the places among the M of the pool's notes,
    oldest first, as each window finds it and after the last; count (B, windows + 1) how many."""
    summaries: torch.Tensor
    importance: torch.Tensor
    table: torch.Tensor
    count: torch.Tensor

    def gather(self, table):
        """Summaries (B, windows, K, S) and importances (B, windows, K) at the places in table."""
        B, M, S = self.summaries.shape
        at = (table + M * torch.arange(B, device=table.device)[:, None, None]).flatten()
        return (self.summaries.reshape(B * M, S)[at].view(*table.shape, S),
                self.importance.reshape(B * M)[at].view(table.shape))

    def held(self):
        """What each window may read: summaries, importances and which of the K places are taken."""
        table, count = self.table[:, :-1], self.count[:, :-1]
        taken = torch.arange(table.shape[2], device=table.device) < count[..., None]
        return (*self.gather(table), taken)

    def newest_first(self):
        """As held, but place 0 is the newest note of every window."""
        table, count = self.table[:, :-1], self.count[:, :-1, None]
        back = count - 1 - torch.arange(table.shape[2], device=table.device)
        return (*self.gather(table.gather(2, back.clamp(min=0))), back >= 0)

    def after(self):
        """The pool after the last token's window, without a gradient: the next call's past."""
        summaries, importance = self.gather(self.table[:, -1:])
        return summaries[:, 0].detach(), importance[:, 0].detach(), self.count[:, -1]


class Score(nn.Module):
    """sigmoid(weight · x + bias) over the last axis."""

    def __init__(self, width, bias):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(width) / math.sqrt(width))
        self.bias = nn.Parameter(torch.full((1,), float(bias)))

    def forward(self, x):
        return torch.sigmoid(x @ self.weight + self.bias)


class Gate(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.zeros(width)), nn.Parameter(torch.zeros(width))

    def forward(self, x):
        return torch.sigmoid(self.weight * x + self.bias)


class Attention(nn.Module):
    """One head over the notes a window may read. It starts as nothing: o_proj is zero."""

    def __init__(self, c):
        super().__init__()
        d, S = c.hidden_size, c.memory_summary_dim
        self.q_proj, self.k_proj = nn.Linear(d, S, bias=False), nn.Linear(S, S, bias=False)
        self.v_proj, self.o_proj = nn.Linear(S, S, bias=False), nn.Linear(S, d, bias=False)
        nn.init.zeros_(self.o_proj.weight)
        if c.memory_fusion == "gated":
            self.gate = Gate(d)

    def forward(self, x, notes, importance, taken):
        """x (B, windows, W, d), notes (B, windows, K, S); c of the same shape as x. Keys and
        values are never made: their projections move to the side of the tokens."""
        q = self.q_proj(x) @ self.k_proj.weight / math.sqrt(notes.shape[-1])
        bias = importance.log().masked_fill(~taken, -math.inf)
        bias = bias.masked_fill(~taken.any(-1, keepdim=True), 0)  # no note: any finite number will do
        weight = torch.softmax(q @ notes.transpose(-1, -2) + bias[:, :, None], -1)
        recalled = (weight @ notes) * taken.any(-1)[..., None, None]
        c = self.o_proj(self.v_proj(recalled))
        return self.gate(x) * c if hasattr(self, "gate") else c


class Memory(nn.Module):
    def __init__(self, c, layer):
        super().__init__()
        self.config = c
        self.note_score = Score(c.hidden_size, 0.0)
        self.note_proj = nn.Linear(c.hidden_size, c.memory_summary_dim, bias=False)
        self.state_score = Score(c.intermediate_size, 1.0)
        self.token_attn = Attention(c)
        if (layer + 1) % c.cross_layer_period == 0:
            self.layer_attn = Attention(c)

    def take(self, x, past):
        """The notes of x (B, T, d), after those of the pool that the last call left."""
        c, (summaries, importance, count) = self.config, past
        score = self.note_score(x)
        noted = score > c.memory_note_threshold
        importance = torch.cat([importance, score], 1)
        table, count = kernels.commit(importance, noted, count, c.memory_window, c.memory_pool_size,
                                      c.memory_replacement == "priority")
        table = table[:, :, :max(1, int(count.max()))]
        return Notes(torch.cat([summaries, self.note_proj(x)], 1), importance, table, count)

    def across(self, x, below):
        """c_layer of x (B, windows, W, d) from the notes of the layers below."""
        if self.config.cross_layer_pooling == "concat":
            parts = [notes.held() for notes in below]
            return self.layer_attn(x, *(torch.cat(part, 2) for part in zip(*parts)))
        longest = max(notes.table.shape[2] for notes in below)
        parts = [self.padded(notes.newest_first(), longest) for notes in below]
        summaries, importance, taken = (torch.stack(part) for part in zip(*parts))
        have = taken.any(0)
        if self.config.cross_layer_pooling == "mean":
            many = taken.sum(0).clamp(min=1)
            summaries = (summaries * taken[..., None]).sum(0) / many[..., None]
            return self.layer_attn(x, summaries, (importance * taken).sum(0) / many, have)
        summaries = summaries.masked_fill(~taken[..., None], -math.inf).amax(0).masked_fill(~have[..., None], 0)
        return self.layer_attn(x, summaries, (importance * taken).amax(0), have)

    @staticmethod
    def padded(held, longest):
        summaries, importance, taken = held
        more = longest - taken.shape[2]
        return F.pad(summaries, (0, 0, 0, more)), F.pad(importance, (0, more)), F.pad(taken, (0, more))


class Read(torch.autograd.Function):
    """Forward, what was guessed: 1 where a window reads, else 0. Backward, the gradient goes
    straight through to the score of the state, whose mean over N is put into seen by then."""

    @staticmethod
    def forward(ctx, guess, weight, bias, seen):
        ctx.save_for_backward(weight, bias)
        ctx.seen = seen
        return guess.to(weight.dtype)

    @staticmethod
    def backward(ctx, grad):
        weight, bias = ctx.saved_tensors
        mean = ctx.seen["mean"]
        score = torch.sigmoid(mean @ weight + bias)
        slope = grad * score * (1 - score)
        return None, torch.einsum("bw,bwe->e", slope, mean), slope.sum()[None], None


class Block(nn.Module):
    def __init__(self, c, layer):
        super().__init__()
        self.norm = RMSNorm(c.hidden_size, c.layer_norm_epsilon)
        self.mixer = Mixer(c)
        self.memory = Memory(c, layer)

    def forward(self, r, state, below, kernels, keep=None, shut=None):
        """The residual stream after this layer, the layer's next state, its notes and the score of
        the state as every window finds it (B, windows). No window of shut (B, windows) reads its
        layer's own pool, whatever the score."""
        (before, h), past = state
        c, m, (B, T, d), x = self.memory.config, self.memory, r.shape, self.norm(r, kernels)
        W, seen = c.memory_window, {}
        notes = m.take(x, past)
        windows = F.pad(x, (0, 0, 0, -T % W)).view(B, -1, W, d)
        own = m.token_attn(windows, *notes.held())
        if below and hasattr(m, "layer_attn"):
            x = x + m.across(windows, below).view(B, -1, d)[:, :T]
        may = notes.count[:, :-1] > 0
        if shut is not None:
            may &= ~shut
        reads = may
        while True:
            factor = Read.apply(reads, m.state_score.weight, m.state_score.bias, seen)
            fused = x + (own * factor[..., None, None]).view(B, -1, d)[:, :T]
            out, after, seen["mean"] = self.mixer(fused, (before, h), kernels, W, keep)
            score = m.state_score(seen["mean"])
            asked = may & (score > c.memory_state_threshold)
            if torch.equal(asked, reads):
                return r + out, (after, notes.after()), notes, score
            reads = asked


@dataclasses.dataclass
class State:
    """What a sequence is continued with: how many tokens it has had, and per layer the state of
    Mamba and the pool: summaries, importances, and how many of them each sequence of the batch has."""
    position: int
    layers: list


class MemMamba(Mamba):
    """Tied embeddings, biases in the convolution and the time step only."""

    def __init__(self, config, kernels):
        super().__init__(config, kernels)
        self.window = config.memory_window
        self.backbone.layers = nn.ModuleList([Block(config, i) for i in range(config.num_hidden_layers)])
        self.trace, self.begun = [], False

    def zero_state(self, batch):
        like, S = self.backbone.embeddings.weight, self.config.memory_summary_dim
        empty = like.new_zeros(batch, 0, S), like.new_zeros(batch, 0), torch.zeros(batch, dtype=torch.long)
        return State(0, [(layer, empty) for layer in super().zero_state(batch)])

    def forward(self, tokens, state, keep=None, shut=None):
        """Logits (B, T, vocab) of the token after each of tokens (B, T), and the state after the
        last. keep (B, windows), of ones and zeros, drops Mamba's state where a window begins. shut
        (layers, B, windows) keeps windows from reading their layer's own pool. A call that ends inside of a window is a sequence's last one. trace then holds, of every
        layer, its Notes and the scores of its state."""
        if state.position % self.window:
            raise ValueError(f"token {state.position} lies inside of a window of {self.window}")
        weight, r, after, self.trace = self.backbone.embeddings.weight, self.backbone.embeddings(tokens), [], []
        for i, (layer, before) in enumerate(zip(self.backbone.layers, state.layers)):
            below = [notes for notes, _ in self.trace[-self.config.cross_layer_period:]]
            r, s, *found = layer(r, before, below, self.kernels, keep, None if shut is None else shut[i])
            self.trace.append(found)
            after.append(s)
        logits = F.linear(self.backbone.norm_f(r, self.kernels), weight)
        self.begun = state.position > 0
        return logits, State(state.position + tokens.shape[1], after)

    def asked(self):
        """Whether the state asked to read, of every window and layer of the last call (B, windows,
        layers): never in a sequence's first window."""
        asked = torch.stack([score for _, score in self.trace], 2) > self.config.memory_state_threshold
        if not self.begun:
            asked[:, 0] = False
        return asked
