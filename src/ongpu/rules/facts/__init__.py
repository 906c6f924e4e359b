"""Facts that several rules need, read from a host's evidence. Each function is pure and says None or empty when the
evidence does not tell: that is unknown, never a default."""
