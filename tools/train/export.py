"""Writes the Hugging Face directory of a checkpoint, of a run that goes on or was stopped."""

import argparse

import torch

import cli
import hf
import kernels
from memory import MemMamba, MemoryConfig
from model import Config, Mamba


def load(checkpoint, kind):
    """The model of a checkpoint, in float32."""
    return model_of(torch.load(checkpoint, map_location="cpu"), kind)


def model_of(kept, kind=None):
    memory = "memory_window" in kept["config"]
    config = (MemoryConfig if memory else Config)(**kept["config"])
    model = (MemMamba if memory else Mamba)(config, kind or kernels.Torch())
    model.load_state_dict(kept["model"])
    return model.eval()


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--checkpoint", required=True, help="the file that train.py or train_memory.py keeps")
    parser.add_argument("--out", required=True, help="the model directory to write")
    args = parser.parse_args(argv)
    kept = torch.load(args.checkpoint, map_location="cpu")
    model = model_of(kept)
    hf.export(model, args.out)
    print(f"{args.out}: written after {kept['step']} steps, {kept['seconds'] / 60:.1f} minutes")


if __name__ == "__main__":
    cli.run(main)
