#!/bin/sh
# Writes .sqlx/, from which queries are checked where there is no database. Wants DATABASE_URL: a server where databases may be made.
# With `--check`, says whether what is committed is up to date instead.
set -eu
cd "$(dirname "$0")/.."
: "${DATABASE_URL:?a PostgreSQL server to make a throw-away database on}"
name="gp_prepare_$$"
base="${DATABASE_URL%/*}"
psql -q "$DATABASE_URL" -c "create database $name"
trap 'psql -q "$DATABASE_URL" -c "drop database $name"' EXIT
for file in migrations/*.sql; do psql -q -v ON_ERROR_STOP=1 "$base/$name" -f "$file"; done
out="$PWD/.sqlx"
[ "${1-}" = --check ] && out=$(mktemp -d)
mkdir -p "$out"
rm -f "$out"/query-*.json
touch src/lib.rs
SQLX_OFFLINE=false SQLX_OFFLINE_DIR="$out" DATABASE_URL="$base/$name" cargo check --quiet --all-targets
if [ "${1-}" = --check ]; then diff -r .sqlx "$out" && rm -r "$out"; fi
