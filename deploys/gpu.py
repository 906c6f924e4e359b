"""pyinfra inventory.py deploys/gpu.py: configure GPU hosts and prove that their models run on the GPU."""

from ongpu.deploys.gpu import gpu

gpu()
