"""GPU profiles: one INI file each, in the format that the stand-in libraries read (`vendor/common/lab.h`)."""
