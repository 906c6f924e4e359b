"""Why a model is not on the GPU: one file per root cause, found by itself. Pure: evidence in, findings out."""
