"""@deploy functions: the sequences of operations behind `deploys/*.py` and `ongpu apply`."""
