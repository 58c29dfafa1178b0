#!/bin/sh
# Installs what the build (and, with the word "test", the tests) need: Debian packages, then the npm packages.
#
# Runs:     on the build machine, under whatever Node started npm: so it is a shell script, not TypeScript.
# Promises: says what it installs; without root or sudo it prints the exact command and stops; does nothing when all
#           is there.
set -eu
cd "$(dirname "$0")/.."

# package=what must exist for it
build_packages="
	bubblewrap=bwrap
	busybox-static=/bin/busybox
	binutils=readelf
	gcc=cc
	g++=g++
	libc6-dev=/usr/include/stdio.h
	make=make
	python3=python3
	libatomic1=libatomic.so.1
	libstdc++6=libstdc++.so.6
"
test_packages="
	crun=crun
	fish=fish
	git=git
	groff-base=groff
	iproute2=ip
	libcap2-bin=/sbin/setcap
	nix-bin=nix-build
	openssl=openssl
	python3-venv=/usr/lib/python3*/ensurepip
	socat=socat
	strace=strace
	util-linux=setpriv
	zsh=zsh
"

# Whether a command, an absolute path (a pattern, too) or a shared library is there.
present() {
	case $1 in
	/*) ls -d $1 >/dev/null 2>&1 ;; # shellcheck disable=SC2086 # a pattern is expanded
	*.so.*) ls /lib/*/"$1" /usr/lib/*/"$1" >/dev/null 2>&1 ;;
	*) command -v "$1" >/dev/null 2>&1 ;;
	esac
}

[ "$(uname -s)" = Linux ] || { echo "setup: fence is for Linux, this is $(uname -s)" >&2; exit 1; }
wanted=$build_packages
[ "${1-}" != test ] || wanted="$wanted $test_packages"
missing=
for entry in $wanted; do
	present "${entry#*=}" || missing="$missing ${entry%%=*}"
done
if [ -n "$missing" ]; then
	command -v apt-get >/dev/null 2>&1 || {
		echo "setup: these packages are missing and there is no apt-get to install them:$missing" >&2
		exit 1
	}
	if [ "$(id -u)" = 0 ]; then
		as_root=
	elif command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then
		as_root="sudo"
	else
		echo "setup: these Debian packages are missing:$missing" >&2
		echo "setup: install them as root, then run this again:" >&2
		echo "  apt-get update && apt-get install --yes --no-install-recommends$missing" >&2
		exit 1
	fi
	echo "setup: installing Debian packages:$missing"
	$as_root apt-get update -qq
	# shellcheck disable=SC2086 # one word a package
	$as_root env DEBIAN_FRONTEND=noninteractive apt-get install -qq --yes --no-install-recommends $missing >/dev/null
fi

# npm keeps its own list of what is installed; newer than our lock file, it is up to date.
if [ -z "$(find node_modules/.package-lock.json -newer package-lock.json 2>/dev/null)" ]; then
	echo "setup: installing npm packages"
	npm ci --loglevel=error --no-audit --no-fund --ignore-scripts
fi
# npm before 11 makes no link to a command that the lock file does not list; scripts take `node` from this folder first.
if [ ! -e node_modules/.bin/node ]; then
	ln -s "../node-linux-$(uname -m | sed 's/x86_64/x64/; s/aarch64/arm64/')/bin/node" node_modules/.bin/node
fi
