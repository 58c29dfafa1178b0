#!/bin/sh
# Runs busybox alone in an empty read-only root; its one way out is the HTTP proxy behind $PROXY_SOCKET.
#
# Use: FENCE=dist/fence BUSYBOX=/bin/busybox PROXY_SOCKET=/run/proxy.sock sh run.sh wget -q -O - http://example.com/
set -eu
exec bwrap --unshare-all --die-with-parent --as-pid-1 \
	--ro-bind "$FENCE" /fence \
	--ro-bind "$BUSYBOX" /bin/busybox \
	--ro-bind "$PROXY_SOCKET" /run/proxy.sock \
	--proc /proc \
	--remount-ro / \
	-- \
	/fence bootstrap --init --http-proxy unix:/run/proxy.sock --rox /bin -- /bin/busybox "$@"
