#!/usr/bin/env bash
# Starts or stops a real OAuth server on loopback for the live tests: `oidc.sh start|stop`.
#
# The server is npm's `oidc-provider` (needs node 20 and npm), kept in a cache directory. `start` returns when it answers
# and prints its `url`. REVOCATION is `strict`, `silent` or `console` (see the server file). With STANCH_LIVE_OWNER=PID the
# server ends by itself soon after that process has ended.
set -euo pipefail

VERSION=${STANCH_OIDC_VERSION:-9}
PORT=${STANCH_OIDC_PORT:-28090}
CACHE=${STANCH_LIVE_CACHE:-$HOME/.cache/stanch-live}
MODULES=$CACHE/oidc-$VERSION
RUN=$CACHE/run-oidc-$PORT
PIDFILE=$RUN/pid
URL=http://127.0.0.1:$PORT
HERE=$(cd "$(dirname "$0")" && pwd)

# shellcheck source=server.sh
. "$(dirname "$0")/server.sh"

answers() { curl -fsS -o /dev/null --max-time 2 --noproxy '*' "$URL/.well-known/openid-configuration" 2>/dev/null; }

start() {
    stop
    if answers; then
        say "something else answers at $URL; set STANCH_OIDC_PORT"
        exit 1
    fi
    mkdir -p "$RUN" "$MODULES"
    # Two tests may start at once; one of them installs.
    exec 9>"$MODULES/lock"
    flock 9
    if [ ! -d "$MODULES/node_modules/oidc-provider" ]; then
        say "installing oidc-provider $VERSION with npm"
        echo '{"private":true}' >"$MODULES/package.json"
        npm install --prefix "$MODULES" --no-audit --no-fund --ignore-scripts "oidc-provider@$VERSION" >"$RUN/npm.log" 2>&1 ||
            { tail -20 "$RUN/npm.log" >&2; exit 1; }
    fi
    exec 9>&-
    OIDC_MODULES=$MODULES PORT=$PORT setsid node "$HERE/oidc_server.mjs" >"$RUN/log" 2>&1 </dev/null &
    await $! 60
    printf 'url %s\n' "$URL"
}

command_line "$@"
