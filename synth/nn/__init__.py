"""PyTorch modules alone. Their attributes are the names of tensors in files."""
