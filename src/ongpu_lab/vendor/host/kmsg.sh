#!/bin/sh
# kmsg LEVEL LINE...: writes to this host's kernel log, as the kernel would (an Xid, say)
. /usr/lib/ongpu-lab/common.sh
level=$1
shift
for line; do say "$level" "$line"; done
