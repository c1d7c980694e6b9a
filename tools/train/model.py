"""Mamba in PyTorch, its parameters named as in Hugging Face's MambaForCausalLM."""

import dataclasses
import math

import torch
import torch.nn as nn
import torch.nn.functional as F


@dataclasses.dataclass
class Config:
    vocab_size: int = 257
    hidden_size: int = 160
    num_hidden_layers: int = 8
    expand: int = 2
    state_size: int = 16
    conv_kernel: int = 4
    time_step_rank: int = 0  # 0: hidden_size / 16, rounded up
    layer_norm_epsilon: float = 1e-5

    def __post_init__(self):
        self.time_step_rank = self.time_step_rank or math.ceil(self.hidden_size / 16)

    @property
    def intermediate_size(self):
        return self.expand * self.hidden_size


class RMSNorm(nn.Module):
    def __init__(self, width, eps):
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x, kernels):
        return kernels.rms_norm(x, self.weight, self.eps)


class Mixer(nn.Module):
    """The selective SSM block (arXiv 2312.00752, Algorithm 2)."""

    def __init__(self, c):
        super().__init__()
        E, N, R = c.intermediate_size, c.state_size, c.time_step_rank
        self.sizes = (R, N, N)
        self.in_proj = nn.Linear(c.hidden_size, 2 * E, bias=False)
        self.conv1d = nn.Conv1d(E, E, c.conv_kernel, groups=E)
        self.x_proj = nn.Linear(E, R + 2 * N, bias=False)
        self.dt_proj = nn.Linear(R, E)
        self.A_log = nn.Parameter(torch.arange(1.0, N + 1).log().repeat(E, 1))
        self.D = nn.Parameter(torch.ones(E))
        self.out_proj = nn.Linear(E, c.hidden_size, bias=False)
        self.reset(c)

    def reset(self, c):
        """The reference initialisation: time steps spread evenly in the logarithm over
        [0.001, 0.1], the residual branch scaled by the depth."""
        R = c.time_step_rank
        nn.init.uniform_(self.dt_proj.weight, -R**-0.5, R**-0.5)
        with torch.no_grad():
            low, high = math.log(1e-3), math.log(1e-1)
            dt = torch.exp(low + torch.rand(c.intermediate_size) * (high - low)).clamp(min=1e-4)
            self.dt_proj.bias.copy_(dt + torch.log(-torch.expm1(-dt)))  # the inverse of softplus
            self.out_proj.weight /= math.sqrt(c.num_hidden_layers)

    def forward(self, x, state, kernels, window=0, keep=None):
        """The output, the state after the last token and, with a window, what kernels.scan says
        of the state as every window finds it."""
        before, h = state
        u, z = (F.linear(x, w) for w in self.in_proj.weight.chunk(2))  # two: no copies of slices
        after = torch.cat([before, u[:, -before.shape[1]:]], 1)[:, -before.shape[1]:].detach()
        u = kernels.conv_silu(u, before, self.conv1d.weight, self.conv1d.bias)
        dt, b, c = self.x_proj(u).split(self.sizes, -1)
        y, h, *mean = kernels.scan(self.dt_proj(dt), u, z, b, c, -torch.exp(self.A_log), self.D, h, window, keep)
        return self.out_proj(y), (after, h), *mean


class Block(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.norm = RMSNorm(c.hidden_size, c.layer_norm_epsilon)
        self.mixer = Mixer(c)

    def forward(self, r, state, kernels):
        out, state = self.mixer(self.norm(r, kernels), state, kernels)
        return r + out, state


class Backbone(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.embeddings = nn.Embedding(c.vocab_size, c.hidden_size)
        self.layers = nn.ModuleList([Block(c) for _ in range(c.num_hidden_layers)])
        self.norm_f = RMSNorm(c.hidden_size, c.layer_norm_epsilon)


class Mamba(nn.Module):
    """Tied embeddings, biases in the convolution and the time step only."""

    window = 1  # a sequence may be cut into calls at multiples of it

    def __init__(self, config, kernels):
        super().__init__()
        self.config, self.kernels = config, kernels
        self.backbone = Backbone(config)
        nn.init.normal_(self.backbone.embeddings.weight, std=0.02)

    def zero_state(self, batch):
        """The state before the first token: per layer the last K-1 inputs of the convolution
        (batch, K-1, E) and the SSM state (batch, E, N)."""
        c, like = self.config, self.backbone.embeddings.weight
        return [(like.new_zeros(batch, c.conv_kernel - 1, c.intermediate_size),
                 like.new_zeros(batch, c.intermediate_size, c.state_size))
                for _ in range(c.num_hidden_layers)]

    def forward(self, tokens, state):
        """Logits (B, T, vocab) of the token after each of tokens (B, T), and the state after the
        last. Gradients stop at the state: a sequence may go on over many calls."""
        weight, r, after = self.backbone.embeddings.weight, self.backbone.embeddings(tokens), []
        for layer, before in zip(self.backbone.layers, state):
            r, s = layer(r, before, self.kernels)
            after.append(s)
        return F.linear(self.backbone.norm_f(r, self.kernels), weight), after


def optimizer(model, decay):
    """AdamW that decays the weights of the projections and nothing else: not the embeddings,
    norms, biases, convolutions, A_log or D."""
    decayed, kept = [], []
    for name, p in model.named_parameters():
        (decayed if name.endswith("_proj.weight") else kept).append(p)
    groups = [{"params": decayed, "weight_decay": decay}, {"params": kept, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, betas=(0.9, 0.95), eps=1e-8)
