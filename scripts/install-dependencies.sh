#!/usr/bin/env bash
# Installs what building and running Scarp needs and this machine lacks
# (Debian 12 or 13, Ubuntu 24.04). With "test", also what the tests need:
# PostgreSQL with PostGIS, Chromium, GDAL's tools, OWSLib, Python's venv.
# Uses sudo only when something is missing and you are not root.
set -euo pipefail

missing=()
need() { # need PACKAGE COMMAND...: PACKAGE is missing when COMMAND fails
  local package=$1
  shift
  "$@" >/dev/null 2>&1 || missing+=("$package")
}

postgis_available() { compgen -G '/usr/share/postgresql/*/extension/postgis.control' && compgen -G '/usr/lib/postgresql/*/bin/initdb'; }

need build-essential c++ --version
need pkg-config pkg-config --version
need libgdal-dev pkg-config --atleast-version=3.6 gdal
need libproj-dev pkg-config --exists proj
need ca-certificates test -e /etc/ssl/certs/ca-certificates.crt
if [ "${1:-}" = test ]; then
  need postgresql-postgis postgis_available
  need gdal-bin ogrinfo --version
  need curl curl --version
  need nginx /usr/sbin/nginx -v
  need python3-venv python3 -c 'import ensurepip, venv'
  need python3-owslib /usr/bin/python3 -c 'import owslib'
  # Where chromium is only a snap, name another Chromium or Chrome in SCARP_CHROMIUM.
  [ -n "${SCARP_CHROMIUM:-}" ] || need chromium sh -c 'command -v chromium || command -v google-chrome'
fi

if [ ${#missing[@]} -gt 0 ]; then
  if ! command -v apt-get >/dev/null; then
    echo "Please install: ${missing[*]} (this script knows only Debian's and Ubuntu's packages)" >&2
    exit 1
  fi
  as_root=()
  [ "$(id -u)" = 0 ] || as_root=(sudo)
  echo "Installing ${missing[*]}"
  "${as_root[@]}" apt-get update -qq
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
fi

for tool in go node npm; do
  command -v "$tool" >/dev/null || {
    echo "Scarp needs $tool: install Go 1.26 or newer and Node 20.19 or newer, then try again." >&2
    exit 1
  }
done
