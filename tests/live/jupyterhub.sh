#!/usr/bin/env bash
# Starts or stops a real JupyterHub on loopback for the live tests: `jupyterhub.sh start|stop`.
#
# The hub is PyPI's `jupyterhub`, its proxy npm's `configurable-http-proxy`, both kept in a cache directory. `start` returns
# when it answers and prints the `url` of its API and the `token` of the console's service. With STANCH_LIVE_OWNER=PID the
# server ends by itself soon after that process has ended.
set -euo pipefail

VERSION=${STANCH_JUPYTERHUB_VERSION:-5}
PORT=${STANCH_JUPYTERHUB_PORT:-28130}
CACHE=${STANCH_LIVE_CACHE:-$HOME/.cache/stanch-live}
HUB=$CACHE/jupyterhub-$VERSION
RUN=$CACHE/run-jupyterhub-$PORT
PIDFILE=$RUN/pid
URL=http://127.0.0.1:$((PORT + 1))/hub/api
TOKEN=soc-console-live-token-0123456789abcdef

# shellcheck source=server.sh
. "$(dirname "$0")/server.sh"

answers() { curl -fsS -o /dev/null --max-time 2 --noproxy '*' "$URL/" 2>/dev/null; }

start() {
    stop
    mkdir -p "$RUN" "$HUB"
    exec 9>"$CACHE/jupyterhub.lock"
    flock 9
    if [ ! -e "$HUB/ready" ]; then
        say "installing jupyterhub $VERSION with pip and its proxy with npm"
        { python3 -m venv "$HUB/venv" && "$HUB/venv/bin/pip" install --quiet "jupyterhub~=$VERSION.0" &&
            echo '{"private":true}' >"$HUB/package.json" &&
            npm install --prefix "$HUB" --no-audit --no-fund --ignore-scripts configurable-http-proxy@4 && touch "$HUB/ready"; } \
            >"$RUN/install.log" 2>&1 || { tail -20 "$RUN/install.log" >&2; exit 1; }
    fi
    exec 9>&-
    rm -f "$RUN"/*.sqlite "$RUN"/jupyterhub_cookie_secret
    cat >"$RUN/config.py" <<CONFIG
c.JupyterHub.bind_url = "http://127.0.0.1:$PORT"
c.JupyterHub.hub_bind_url = "http://127.0.0.1:$((PORT + 1))"
c.ConfigurableHTTPProxy.api_url = "http://127.0.0.1:$((PORT + 2))"
c.ConfigurableHTTPProxy.command = ["$HUB/node_modules/.bin/configurable-http-proxy"]
c.JupyterHub.authenticator_class = "dummy"
c.Authenticator.allow_all = True
c.JupyterHub.spawner_class = "simple"
c.JupyterHub.services = [{"name": "console", "api_token": "$TOKEN"}, {"name": "setup", "api_token": "setup-$TOKEN"}]
c.JupyterHub.load_roles = [
    {"name": "console", "scopes": ["read:users", "tokens", "delete:servers", "servers"], "services": ["console"]},
    {"name": "setup", "scopes": ["admin:users", "tokens", "servers"], "services": ["setup"]},
    {"name": "user", "scopes": ["self"]},
]
CONFIG
    (cd "$RUN" && exec env PATH="$HUB/venv/bin:$PATH" setsid "$HUB/venv/bin/jupyterhub" -f "$RUN/config.py") >"$RUN/log" 2>&1 </dev/null &
    await $! 90
    printf 'url %s\ntoken %s\nsetup setup-%s\n' "$URL" "$TOKEN" "$TOKEN"
}

command_line "$@"
