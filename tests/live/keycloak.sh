#!/usr/bin/env bash
# Starts or stops a real Keycloak on loopback for the live tests: `keycloak.sh start|stop`.
#
# The distribution comes from Maven Central (needs java 17 or later, mvn and unzip or jar) and is kept in a cache
# directory, together with the server's optimised build. `start` begins with an empty database every time, returns when
# the server answers, and prints `url`, `admin` and `password` as one line each. It listens on 127.0.0.1 only. With
# STANCH_LIVE_OWNER=PID the server ends by itself soon after that process has ended.
set -euo pipefail

VERSION=${STANCH_KEYCLOAK_VERSION:-26.5.6}
PORT=${STANCH_KEYCLOAK_PORT:-28080}
CACHE=${STANCH_LIVE_CACHE:-$HOME/.cache/stanch-live}
DIST=$CACHE/keycloak-$VERSION
RUN=$CACHE/run-keycloak-$PORT
PIDFILE=$RUN/pid
URL=http://127.0.0.1:$PORT
ADMIN=live-admin
PASSWORD=live-admin-password

# shellcheck source=server.sh
. "$(dirname "$0")/server.sh"

install_dist() {
    [ -x "$DIST/bin/kc.sh" ] && return
    mkdir -p "$CACHE"
    local zip=$CACHE/keycloak-quarkus-dist-$VERSION.zip
    if [ ! -s "$zip" ]; then
        say "fetching Keycloak $VERSION with maven"
        mvn -q -B org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy \
            -Dartifact="org.keycloak:keycloak-quarkus-dist:$VERSION:zip" -DoutputDirectory="$CACHE" >&2
    fi
    local unpacked
    unpacked=$(mktemp -d "$CACHE/unpack.XXXXXX")
    if command -v unzip >/dev/null; then
        unzip -q "$zip" -d "$unpacked"
    elif command -v python3 >/dev/null; then
        python3 -m zipfile -e "$zip" "$unpacked"
    else
        (cd "$unpacked" && jar xf "$zip")
    fi
    chmod +x "$unpacked/keycloak-$VERSION/bin/kc.sh"
    mv "$unpacked/keycloak-$VERSION" "$DIST"
    rmdir "$unpacked"
}

answers() { curl -fsS -o /dev/null --max-time 2 --noproxy '*' "$URL/realms/master" 2>/dev/null; }

start() {
    stop
    if answers; then
        say "something else answers at $URL; set STANCH_KEYCLOAK_PORT"
        exit 1
    fi
    install_dist
    mkdir -p "$RUN"
    rm -rf "$DIST/data/h2" "$DIST/data/tmp"
    KC_BOOTSTRAP_ADMIN_USERNAME=$ADMIN KC_BOOTSTRAP_ADMIN_PASSWORD=$PASSWORD \
        JAVA_OPTS_KC_HEAP="-Xms64m -Xmx640m" \
        setsid "$DIST/bin/kc.sh" start-dev --http-host=127.0.0.1 --http-port="$PORT" \
        --cache=local --health-enabled=false >"$RUN/log" 2>&1 </dev/null &
    await $! 300
    printf 'url %s\nadmin %s\npassword %s\n' "$URL" "$ADMIN" "$PASSWORD"
}

command_line "$@"
