"""The lab's machines: network, file systems, boot, supervision, and the way in."""
