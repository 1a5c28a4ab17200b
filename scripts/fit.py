"""Train a GAN: python scripts/fit.py --model cyclegan [--data NAME] [any LightningCLI option]; --list names them."""

import gc
import sys

from gan_modules.cli import fit, main

if __name__ == "__main__":
    sys.path.insert(0, "")  # so that --model my_project.MyGAN is found from where the command is run
    try:
        main(fit, sys.argv[1:])
    finally:
        gc.freeze()  # else Python looks through all of torch once more as it ends, for seconds
