"""pyinfra inventory.py deploys/verify.py -y: prove the declared models; changes nothing."""

from ongpu.deploys.verify import verify

verify()
