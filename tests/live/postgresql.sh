#!/usr/bin/env bash
# Starts or stops a real PostgreSQL on loopback for the live tests: `postgresql.sh start|stop`.
#
# It is Debian's `postgresql`, installed with apt-get where it is missing, with a database cluster of its own. `start`
# returns when it answers and prints `url`, `admin` and `password`. With STANCH_LIVE_OWNER=PID the server ends by itself
# soon after that process has ended.
set -euo pipefail

PORT=${STANCH_POSTGRESQL_PORT:-28120}
CACHE=${STANCH_LIVE_CACHE:-$HOME/.cache/stanch-live}
RUN=$CACHE/run-postgresql-$PORT
PIDFILE=$RUN/pid
# The server does not run as root, and root's home is closed to others.
DATA=/tmp/stanch-live-postgresql-$PORT
URL=postgresql://127.0.0.1:$PORT/postgres

# shellcheck source=server.sh
. "$(dirname "$0")/server.sh"

answers() { PGPASSWORD=pgpass psql -X -q -h 127.0.0.1 -p "$PORT" -U postgres -c 'SELECT 1' >/dev/null 2>&1; }

start() {
    stop
    mkdir -p "$RUN"
    if ! compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null; then
        say "installing postgresql with apt-get"
        DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends postgresql >"$RUN/apt.log" 2>&1 ||
            { tail -20 "$RUN/apt.log" >&2; exit 1; }
    fi
    local bin
    bin=$(printf '%s\n' /usr/lib/postgresql/*/bin | tail -1)
    rm -rf "$DATA"
    mkdir -m 700 "$DATA"
    echo pgpass >"$DATA.pw"
    as=()
    if [ "$(id -u)" = 0 ]; then
        chown postgres "$DATA" "$DATA.pw"
        as=(setpriv --reuid postgres --regid postgres --clear-groups)
    fi
    chmod 600 "$DATA.pw"
    (cd / && "${as[@]}" "$bin/initdb" -D "$DATA/db" -A scram-sha-256 -U postgres --pwfile="$DATA.pw" --no-sync) >"$RUN/initdb.log" 2>&1 ||
        { tail -20 "$RUN/initdb.log" >&2; exit 1; }
    rm -f "$DATA.pw"
    cd /
    setsid "${as[@]}" "$bin/postgres" -D "$DATA/db" -p "$PORT" -h 127.0.0.1 -k "$DATA" -c fsync=off -c client_connection_check_interval=200 >"$RUN/log" 2>&1 </dev/null &
    await $! 60
    printf 'url %s\nadmin postgres\npassword pgpass\n' "$URL"
}

command_line "$@"
