#!/usr/bin/env bash
# Puts ONNX Runtime's shared library into the folder given (build/lib). It is
# taken from the npm package onnxruntime-node, which carries it for Linux on
# x64 and arm64; npm checks the package's integrity.
set -euo pipefail
target=${1:?usage: install-onnxruntime.sh FOLDER}
version=1.30.0

case $(uname -m) in
  x86_64) platform=x64 ;;
  aarch64 | arm64) platform=arm64 ;;
  *) echo "No ONNX Runtime for $(uname -m): build it and point SCARP_ONNXRUNTIME at libonnxruntime.so" >&2; exit 1 ;;
esac

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
echo "Fetching ONNX Runtime $version"
(cd "$work" && npm pack --silent --ignore-scripts "onnxruntime-node@$version" >/dev/null 2>&1)
tar -xzf "$work"/onnxruntime-node-*.tgz -C "$work" "package/bin/napi-v6/linux/$platform/libonnxruntime.so.1"
mkdir -p "$target"
mv "$work/package/bin/napi-v6/linux/$platform/libonnxruntime.so.1" "$target/libonnxruntime.so.1"
