"""Train a GAN: python scripts/fit.py --model cyclegan [--data NAME] [any LightningCLI option]; --list names them."""

import os
import sys

from gan_modules.cli import fit, main

if __name__ == "__main__":
    sys.path.insert(0, "")  # so that --model my_project.MyGAN is found from where the command is run
    try:
        main(fit, sys.argv[1:])
    except SystemExit as end:
        if end.code not in (0, 130, 143):
            raise
        # told to stop, with all saved: Python's own end, a search through all of torch, would take seconds more
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(end.code)
