"""Writes the Hugging Face directory of a checkpoint, of a run that goes on or was stopped."""

import argparse

import torch

import cli
import hf
import kernels
from model import Config, Mamba


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--checkpoint", required=True, help="the file that train.py keeps")
    parser.add_argument("--out", required=True, help="the model directory to write")
    args = parser.parse_args(argv)
    kept = torch.load(args.checkpoint, map_location="cpu")
    model = Mamba(Config(**kept["config"]), kernels.Torch())
    model.load_state_dict(kept["model"])
    hf.export(model, args.out)
    print(f"{args.out}: written after {kept['step']} steps, {kept['seconds'] / 60:.1f} minutes")


if __name__ == "__main__":
    cli.run(main)
