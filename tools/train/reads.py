"""The trigger of reads: a start at which it can decide something, and a hold on how often it opens.

The state that a window finds is small, some 0.01 a number, and hardly differs from window to window. A
score that begins with weights of norm 1 and a bias of 1 moves by thousandths then, and lies above
the threshold in every window, for good: no step of training is large enough to change that.
"""

import torch

import model as plain

STEP = 0.05  # what a bias moves in a step when its layer's share is out of bounds
FASTER = 10  # learning rate of the scores, relative to the size of their weights


def scores(model):
    """The Score of every layer's state."""
    return [layer.memory.state_score for layer in model.backbone.layers]


def logits(model):
    """What the sigmoid of every layer's state score was given, in all windows of the last call but
    a sequence's first (layers, B, windows - 1)."""
    return torch.stack([torch.logit(score.detach()[:, 1:], 1e-6) for _, score in model.trace])


@torch.no_grad()
def spread(model, tokens, rounds=2):
    """Scales and shifts every layer's score until its logits over the windows of tokens (B, T) have
    mean 0 and standard deviation 1, so that half of the windows read. What a layer reads changes
    what those above it see, which takes another round."""
    for _ in range(rounds):
        model(tokens, model.zero_state(len(tokens)))
        for score, found in zip(scores(model), logits(model)):
            deviation = found.std().clamp(min=1e-6)
            score.bias.copy_((score.bias - found.mean()) / deviation)
            score.weight /= deviation


def optimizer(model, decay):
    """plain.optimizer's AdamW, except for the weights and biases of state scores, each a group of its own
    whose rate is scale times the others'."""
    made = plain.optimizer(model, decay)
    special = [p for score in scores(model) for p in (score.weight, score.bias)]
    ids = set(map(id, special))
    for group in made.param_groups:
        group["params"] = [p for p in group["params"] if id(p) not in ids]
    for score in scores(model):
        size = score.weight.detach().pow(2).mean().sqrt().item()
        for p, scale in ((score.weight, FASTER * size), (score.bias, FASTER)):
            made.add_param_group({"params": [p], "weight_decay": 0.0, "scale": scale})
    return made


@torch.no_grad()
def hold(model, share, low, high, rows):
    """Follows the share of windows in which each layer asked to read in the last call, in those of
    its sequences that rows (B) tells, and moves the bias of one whose running share (updated in
    place) has left low to high. rows are to be sequences whose states are as old and whole as in use: a
    state that was dropped has another size, and scores that open for it may never open for others."""
    for layer, (score, found) in enumerate(zip(scores(model), logits(model))):
        found = found[rows]
        if not found.numel():
            continue
        asked = (torch.sigmoid(found) > model.config.memory_state_threshold).float().mean().item()
        share[layer] += 0.05 * (asked - share[layer])
        if share[layer] > high:
            score.bias -= STEP
        elif share[layer] < low:
            score.bias += STEP
