"""Is a model fully on the GPU? Agreeing witnesses, their quorum and the verdict in one sentence (design D4). Pure."""
