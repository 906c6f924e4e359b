"""The lab's stand-in for NVIDIA: libraries, driver packages, signed repository, vendor web sites, GPU profiles."""
