"""The GANs of the literature as PyTorch Lightning modules."""
