#!/bin/sh
exec /usr/lib/ongpu-lab/rmmod rmmod "$@"
