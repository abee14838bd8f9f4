#!/usr/bin/env bash
# Installs a build into a folder of its own, builds a host's program against it and runs both programs.
# Usage: install_test.sh SOURCE_DIR BUILD_DIR CXX [linker and sanitizer flags...]
set -euo pipefail
source_dir=$1 build_dir=$2 compiler=$3
shift 3
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

cmake --install "$build_dir" --prefix "$folder/prefix" >"$folder/install.log"
cmake -S "$source_dir/tests/install" -B "$folder/build" -G Ninja -DCMAKE_BUILD_TYPE=None \
  -DCMAKE_CXX_COMPILER="$compiler" -DCMAKE_CXX_FLAGS="$*" -DCMAKE_PREFIX_PATH="$folder/prefix" \
  >"$folder/configure.log" 2>&1 || { cat "$folder/configure.log"; exit 1; }
cmake --build "$folder/build" >"$folder/build.log" 2>&1 || { cat "$folder/build.log"; exit 1; }

expect() { [ "$2" = "$1" ] || { echo "expected \"$1\", got \"$2\""; exit 1; }; }
expect "0.00015 2026-07-01T00:00:00Z invalid_argument
1 call, 1500 tokens, 0.00036 usd" "$("$folder/build/consumer" "$folder/usage.db")"
# The program reads what the host's own program has written.
reported=$("$folder/prefix/bin/aimeter" report --json --from 2020-01-01 --to 9000-01-01 --store "sqlite:$folder/usage.db")
case "$reported" in *'"calls":1,'*'"cost":"0.00036"'*) ;; *) echo "reported: $reported"; exit 1 ;; esac
version=$("$folder/prefix/bin/aimeter" --version)
case "$version" in "aimeter "[0-9]*) ;; *) echo "no version: $version"; exit 1 ;; esac

# Nothing internal is installed, and no installed header includes what is not.
if grep -rnE '#include "[a-z]+/' "$folder/prefix/include" | grep -v '"aimeter/'; then
  echo "an installed header includes an internal one"
  exit 1
fi
echo "installed, found, built and run"
