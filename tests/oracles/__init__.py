"""Other TensorFlows, run as programs of their own, that ours is compared with."""
