#!/bin/sh
# Fetch Chainlink's published mock of its VRF v2.5 coordinator into a folder, for the tests alone: sources from npm, checked.
# Not a dependency in package.json: its own dependencies are many and none is needed for this contract.
set -eu
folder=${1:-lib/chainlink}
version=1.3.0
integrity="Vk93nijTC5iRFW/L6FKUzeMuJy7k5dNzAtqlHpdreqtzL7efO/qXbYCkqjJFNXGurfOXVehHlehFoH4tWvSbfw=="
command -v npm >/dev/null || { echo "The coordinator's mock needs npm (Debian: apt-get install npm)"; exit 1; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
(cd "$work" && npm pack --silent "@chainlink/contracts@$version" >/dev/null)
found=$(node -e 'process.stdout.write(require("crypto").createHash("sha512").update(require("fs").readFileSync(process.argv[1])).digest("base64"))' "$work"/chainlink-contracts-$version.tgz)
[ "$found" = "$integrity" ] || { echo "@chainlink/contracts@$version has sha512 $found, not $integrity"; exit 1; }
(cd "$work" && tar xzf chainlink-contracts-$version.tgz)
rm -rf "$folder"
mkdir -p "$folder/vendor/openzeppelin-solidity" "$folder/vrf"
cp -r "$work/package/src/v0.8/vrf/dev" "$work/package/src/v0.8/vrf/mocks" "$folder/vrf/"
cp -r "$work/package/src/v0.8/shared" "$folder/"
cp -r "$work/package/src/v0.8/vendor/openzeppelin-solidity/v4.7.3" "$folder/vendor/openzeppelin-solidity/"
touch "$folder/.installed"
