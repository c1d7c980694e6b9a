"""How training begins with the weights of a plain Mamba of fewer layers.

The layers of the shallow model are spread evenly among those of the deep one, the first first. What stands
between them begins as nothing, its out_proj being zero, and so does the memory: the deep model
predicts what the shallow one did.
"""

import torch

from memory import MemMamba


def places(shallow, deep):
    """Where each of a number of layers stands among more of them."""
    return [i * deep // shallow for i in range(shallow)]


def fits(model, source):
    """Whether source is a Mamba without memory whose layers can stand among those of model."""
    if isinstance(source, MemMamba) or source.config.num_hidden_layers > model.config.num_hidden_layers:
        return False
    return all(getattr(model.config, name) == value
               for name, value in vars(source.config).items() if name != "num_hidden_layers")


@torch.no_grad()
def grow(model, source):
    """Puts the weights of source into model and silences the layers between. Returns the parameters that
    were given weights."""
    backbone, given = model.backbone, []
    pairs = [(backbone.embeddings, source.backbone.embeddings), (backbone.norm_f, source.backbone.norm_f)]
    at = places(len(source.backbone.layers), len(backbone.layers))
    for place, old in zip(at, source.backbone.layers):
        pairs += [(backbone.layers[place].norm, old.norm), (backbone.layers[place].mixer, old.mixer)]
    for place, layer in enumerate(backbone.layers):
        if place not in at:
            layer.mixer.out_proj.weight.zero_()
    for new, old in pairs:
        new.load_state_dict(old.state_dict())
        given += new.parameters()
    return given


def slow(optimizer, given, scale):
    """Gives these parameters of optimizer groups of their own, whose rate is scale times that of their group."""
    ids = set(map(id, given))
    for group in list(optimizer.param_groups):
        own = [p for p in group["params"] if id(p) in ids]
        if not own:
            continue
        group["params"] = [p for p in group["params"] if id(p) not in ids]
        rest = {key: value for key, value in group.items() if key != "params"}
        optimizer.add_param_group({**rest, "params": own, "scale": scale * group.get("scale", 1)})
