#!/usr/bin/env bash
# Makes .venv ready, and the system's GL libraries where they are missing and we may install them.
# Usage: scripts/setup.sh [extras]      for example: scripts/setup.sh dev,pyrender,codecs
# Does nothing, quickly, when all is there. Installs exactly what constraints.txt pins.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
exec </dev/null
export DEBIAN_FRONTEND=noninteractive PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1
extras=${1:-}
log=$(mktemp)
trap 'rm -f "$log"' EXIT

say() { printf 'setup: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

# Runs a command silently; shows what it printed only when it fails.
quietly() { "$@" >"$log" 2>&1 || { tail -n 30 "$log" >&2; return 1; }; }

as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n --preserve-env=DEBIAN_FRONTEND "$@"; fi; }

can_install() {
    command -v apt-get >/dev/null || return 1
    [ "$(id -u)" = 0 ] || { command -v sudo >/dev/null && sudo -n true 2>/dev/null; }
}

apt_install() {
    say "installing $*"
    as_root apt-get install -y -q --no-install-recommends "$@" >"$log" 2>&1 && return
    # A fresh image has no package lists, an old one has stale lists.
    quietly as_root apt-get update -q && quietly as_root apt-get install -y -q --no-install-recommends "$@"
}

find_python() {
    local python
    for python in ${PYTHON:-} python3 python3.14 python3.13 python3.12 python3.11; do
        if "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            command -v "$python"
            return
        fi
    done
    return 1
}

make_venv() {
    .venv/bin/python -m pip --version >/dev/null 2>&1 && return
    local python version
    python=$(find_python) || die "Python 3.11 or newer is needed, got $(python3 --version 2>&1 || true); install python3 >= 3.11 or name one: PYTHON=/path/to/python3 make"
    version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
        can_install || die "this Python has no venv module; install it with: apt install python$version-venv"
        apt_install "python$version-venv" || die "could not install python$version-venv"
    fi
    say "creating .venv with Python $version"
    rm -rf .venv
    quietly "$python" -m venv .venv || die "could not create .venv"
}

ensure_gl() {
    local why
    why=$(.venv/bin/python scripts/check_gl.py) && return
    can_install || die "$why"
    apt_install libegl1 libgl1-mesa-dri libgl1 || die "$why"
    why=$(.venv/bin/python scripts/check_gl.py) || die "$why"
}

install_project() {
    # What the installation depends on: the pins, the version (read from the package), and where the checkout is.
    local stamp
    stamp=.venv/installed-${extras:-base}-$({ pwd; cat pyproject.toml constraints.txt vrm_synth/__init__.py; } | sha256sum | cut -c1-16)
    [ -e "$stamp" ] && return
    say "installing vrm-synth${extras:+[$extras]} into .venv (takes a minute the first time)"
    quietly .venv/bin/python -m pip install -q -c constraints.txt hatchling || die "could not install hatchling"
    quietly .venv/bin/python -m pip install -q -c constraints.txt --no-build-isolation -e ".${extras:+[$extras]}" ||
        die "could not install vrm-synth${extras:+[$extras]}"
    rm -f .venv/installed-"${extras:-base}"-*
    touch "$stamp"
}

make_venv
install_project
ensure_gl
