"""What `scripts/prove.py` runs: jobs of the real command line that are stopped, killed, resumed and compared."""
