# Shared by the scripts: sourced, not run.
set -euo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# Tools and CI's build live outside the tree: a fresh clone finds them again.
CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/guard-proxy
TARGET=${CARGO_TARGET_DIR:-$ROOT/target}
case $TARGET in /*) ;; *) TARGET=$ROOT/$TARGET ;; esac
export PATH="$CACHE/tools/bin:$PATH"

say() { printf '== %s\n' "$*" >&2; }
die() {
    printf 'error: %s\n' "$1" >&2
    shift
    for hint in "$@"; do printf 'hint: %s\n' "$hint" >&2; done
    exit 1
}
have() { command -v "$1" >/dev/null 2>&1; }

# panel_packages: the panel's packages as its lock has them; nothing to do where they are. Among them is the Node that `npm run` uses.
panel_packages() {
    local lock stamp=$ROOT/frontend/node_modules/.guard-proxy-lock
    lock=$(sha256sum <"$ROOT/frontend/package-lock.json")
    if [ "$(cat "$stamp" 2>/dev/null)" = "$lock" ]; then return; fi
    say "npm ci"
    (cd "$ROOT/frontend" && npm_config_cache=$CACHE/npm npm ci --no-progress --loglevel=error)
    (cd "$ROOT/frontend" && node_modules/.bin/node --version | grep -q '^v24\.') ||
        die "npm ci did not bring Node 24" "its install script has to run: npm config get ignore-scripts"
    echo "$lock" >"$stamp"
}

# panel_hash: of all that the panel is built from.
panel_hash() {
    (cd "$ROOT/frontend" && find . \( -name node_modules -o -name dist -o -name .tanstack \) -prune -o -type f ! -name routeTree.gen.ts -print0 |
        LC_ALL=C sort -z | xargs -0 sha256sum | sha256sum | cut -c 1-16)
}

# free_port: prints a TCP port of loopback that nothing listens on.
free_port() {
    local port
    for _ in $(seq 100); do
        port=$((20000 + RANDOM % 12000))
        if ! (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
            echo "$port"
            return
        fi
    done
    die "no free port was found"
}

# The folder of PostgreSQL's server programs, the newest.
postgres_programs() {
    local found
    found=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -n 1)
    if [ -z "$found" ] && have initdb && have postgres; then found=$(dirname "$(command -v initdb)"); fi
    [ -n "$found" ] || return 1
    echo "$found"
}

# as_postgres COMMAND...: PostgreSQL refuses to run as root; as root it is `postgres`, or `nobody`.
as_postgres() {
    if [ "$(id -u)" != 0 ]; then
        "$@"
    else
        local user=nobody
        if id postgres >/dev/null 2>&1; then user=postgres; fi
        (cd / && setpriv --reuid "$user" --regid "$(id -g "$user")" --clear-groups "$@")
    fi
}

# start_postgres [SETTING...]: a throw-away cluster on loopback; sets PG_FOLDER, PG_PID and exports DATABASE_URL. Later settings win.
start_postgres() {
    local programs arguments=() setting port
    port=$(free_port)
    programs=$(postgres_programs) || die "PostgreSQL's server was not found" "scripts/setup installs it"
    PG_FOLDER=$(mktemp -d /tmp/guard-proxy-pg.XXXXXX)
    mkdir "$PG_FOLDER/run"
    if [ "$(id -u)" = 0 ]; then
        chown -R "$(id postgres >/dev/null 2>&1 && echo postgres || echo nobody)" "$PG_FOLDER"
    fi
    chmod 700 "$PG_FOLDER" "$PG_FOLDER/run"
    as_postgres "$programs/initdb" --auth=trust --encoding=UTF8 --locale=C --no-sync --no-instructions \
        --username=guard_proxy --pgdata="$PG_FOLDER/data" >"$PG_FOLDER.log" 2>&1 || { cat "$PG_FOLDER.log" >&2; die "initdb failed"; }
    for setting in listen_addresses=127.0.0.1 "port=$port" "unix_socket_directories=$PG_FOLDER/run" fsync=off full_page_writes=off \
        max_connections=200 shared_buffers=128MB jit=off "$@"; do
        arguments+=(-c "$setting")
    done
    # postgres itself, not pg_ctl: the pid in the file is the one to stop.
    as_postgres "$programs/postgres" -D "$PG_FOLDER/data" "${arguments[@]}" </dev/null >>"$PG_FOLDER.log" 2>&1 &
    local i
    for i in $(seq 200); do
        if "$programs/pg_isready" -q -h 127.0.0.1 -p "$port" -U guard_proxy -d postgres 2>/dev/null; then break; fi
        if [ "$i" = 200 ]; then cat "$PG_FOLDER.log" >&2; die "PostgreSQL does not answer"; fi
        sleep 0.05
    done
    PG_PID=$(head -n 1 "$PG_FOLDER/data/postmaster.pid")
    export DATABASE_URL="postgres://guard_proxy@127.0.0.1:$port/postgres"
}

# Stops what start_postgres started. Callable twice.
stop_postgres() {
    if [ -n "${PG_PID:-}" ]; then
        kill -INT "$PG_PID" 2>/dev/null || true
        local i
        for i in $(seq 100); do
            kill -0 "$PG_PID" 2>/dev/null || break
            sleep 0.05
        done
        kill -KILL "$PG_PID" 2>/dev/null || true
        PG_PID=
    fi
    if [ -n "${PG_FOLDER:-}" ]; then rm -rf "$PG_FOLDER" "$PG_FOLDER.log"; PG_FOLDER=; fi
}
