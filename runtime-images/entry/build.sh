#!/bin/sh
# Rebuilds the entry program; the same compiler gives the same bytes.
set -eu
cd "$(dirname "$0")"
gcc -static -nostdlib -nostartfiles -ffreestanding -fno-stack-protector -fno-asynchronous-unwind-tables \
  -fno-pie -no-pie -Os -s -Wall -Wextra -Wl,--build-id=none -Wl,-z,norelro -Wl,-z,noseparate-code \
  -o "${1:-entry-linux-amd64}" entry.c
