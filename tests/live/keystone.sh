#!/usr/bin/env bash
# Starts or stops a real OpenStack Keystone on loopback for the live tests: `keystone.sh start|stop|token USER PASSWORD`.
#
# Keystone comes from PyPI into a cache directory and runs over SQLite under gunicorn. `start` returns when it answers and
# prints its `url`, and the `admin` with its `password`. `token` logs in and prints a token, as `openstack token issue` does.
# With STANCH_LIVE_OWNER=PID the server ends by itself soon after that process has ended.
set -euo pipefail

PORT=${STANCH_KEYSTONE_PORT:-28170}
CACHE=${STANCH_LIVE_CACHE:-$HOME/.cache/stanch-live}
RUN=$CACHE/run-keystone-$PORT
PIDFILE=$RUN/pid
URL=http://127.0.0.1:$PORT/v3
BIN=$CACHE/keystone/bin
ADMIN_PASSWORD=live-admin-password-0123456789

# shellcheck source=server.sh
. "$(dirname "$0")/server.sh"

answers() { curl -fsS -o /dev/null --max-time 5 --noproxy '*' "$URL" 2>/dev/null; }

install() {
    [ -e "$CACHE/keystone/ready" ] && return 0
    say "installing keystone with pip"
    rm -rf "$CACHE/keystone"
    { python3 -m venv "$CACHE/keystone" && "$BIN/pip" install --quiet 'keystone>=28,<31' gunicorn; } >"$RUN/pip.log" 2>&1 ||
        { tail -20 "$RUN/pip.log" >&2; exit 1; }
    touch "$CACHE/keystone/ready"
}

manage() { "$BIN/keystone-manage" --config-file "$RUN/keystone.conf" "$@"; }

prepare() {
    manage db_sync
    manage fernet_setup --keystone-user "$(id -un)" --keystone-group "$(id -gn)"
    manage credential_setup --keystone-user "$(id -un)" --keystone-group "$(id -gn)"
    manage bootstrap --bootstrap-password "$ADMIN_PASSWORD" --bootstrap-admin-url "$URL/" --bootstrap-public-url "$URL/" \
        --bootstrap-region-id live
}

start() {
    stop
    mkdir -p "$RUN"
    exec 9>"$CACHE/keystone.lock"
    flock 9
    install
    exec 9>&-
    rm -rf "$RUN/data"
    mkdir -p "$RUN/data/fernet" "$RUN/data/credential"
    # Small pages, so that a list of a few has more than one.
    cat >"$RUN/keystone.conf" <<CONF
[DEFAULT]
log_file = $RUN/data/keystone.log
use_stderr = false
list_limit = 2
[database]
connection = sqlite:///$RUN/data/keystone.db
[fernet_tokens]
key_repository = $RUN/data/fernet
[credential]
key_repository = $RUN/data/credential
[token]
provider = fernet
[cache]
enabled = false
CONF
    prepare >"$RUN/prepare.log" 2>&1 || { tail -20 "$RUN/prepare.log" >&2; exit 1; }
    # Its configuration would read the arguments of gunicorn.
    printf 'import sys\nsys.argv = ["keystone"]\nfrom keystone.wsgi.api import application\n' >"$RUN/live_wsgi.py"
    OS_KEYSTONE_CONFIG_FILES=$RUN/keystone.conf OS_KEYSTONE_CONFIG_DIR=$RUN \
        setsid "$BIN/gunicorn" --chdir "$RUN" --timeout 120 -w 1 -b "127.0.0.1:$PORT" live_wsgi:application \
        >"$RUN/log" 2>&1 </dev/null &
    await $! 90
    printf 'url %s\nadmin admin\npassword %s\n' "$URL" "$ADMIN_PASSWORD"
}

# token USER PASSWORD: a token for the project `admin`.
token() {
    local body
    body=$(printf '{"auth":{"identity":{"methods":["password"],"password":{"user":{"name":"%s","domain":{"id":"default"},"password":"%s"}}},"scope":{"project":{"name":"admin","domain":{"id":"default"}}}}}' "$1" "$2")
    curl -fsS -o /dev/null -D - --noproxy '*' -H 'content-type: application/json' "$URL/auth/tokens" -d "$body" |
        tr -d '\r' | awk 'tolower($1) == "x-subject-token:" { print $2 }'
}

case "${1:-}" in
    token) token "$2" "$3" ;;
    *) command_line "$@" ;;
esac
