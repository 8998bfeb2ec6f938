#!/usr/bin/env bash
# Starts or stops a real Prometheus Alertmanager on loopback for the live tests: `alertmanager.sh start|stop`.
#
# The program is Debian's package `prometheus-alertmanager`, unpacked into a cache directory, not installed. `start` returns
# when it answers and prints its `url`; user `soc`, password `am-live-password-0123`. It posts to STANCH_WEBHOOK with the
# bearer token `am-live-webhook-0123`. With STANCH_LIVE_OWNER=PID the server ends by itself soon after that process ended.
set -euo pipefail

PORT=${STANCH_AM_PORT:-28195}
CACHE=${STANCH_LIVE_CACHE:-$HOME/.cache/stanch-live}
UNPACKED=$CACHE/alertmanager
PROGRAM=$UNPACKED/usr/bin/prometheus-alertmanager
RUN=$CACHE/run-alertmanager-$PORT
PIDFILE=$RUN/pid
URL=http://127.0.0.1:$PORT
LOGIN=soc:am-live-password-0123

# shellcheck source=server.sh
. "$(dirname "$0")/server.sh"

answers() { curl -fsS -o /dev/null --max-time 2 --noproxy '*' -u "$LOGIN" "$URL/-/ready" 2>/dev/null; }

install() {
    mkdir -p "$UNPACKED"
    # Two tests may start at once; one of them downloads.
    exec 9>"$UNPACKED/lock"
    flock 9
    if [ ! -x "$PROGRAM" ]; then
        say "downloading prometheus-alertmanager with apt-get"
        (
            cd "$UNPACKED"
            { apt-get download prometheus-alertmanager || { apt-get update && apt-get download prometheus-alertmanager; }; } >apt.log 2>&1 ||
                { tail -5 apt.log >&2; exit 1; }
            dpkg -x prometheus-alertmanager_*.deb .
        )
    fi
    exec 9>&-
}

start() {
    stop
    if curl -sS -o /dev/null --max-time 2 --noproxy '*' "$URL" 2>/dev/null; then
        say "something else answers at $URL; set STANCH_AM_PORT"
        exit 1
    fi
    install
    rm -rf "$RUN"
    mkdir -p "$RUN"
    cat >"$RUN/am.yml" <<Y
route: {receiver: console, group_by: [alertname], group_wait: 1s, group_interval: 1s, repeat_interval: 1h}
receivers:
- name: console
  webhook_configs:
  - url: '${STANCH_WEBHOOK:-http://127.0.0.1:9/}'
    send_resolved: true
    http_config: {authorization: {credentials: am-live-webhook-0123}}
Y
    cat >"$RUN/web.yml" <<'Y'
basic_auth_users: {soc: '$2b$04$uAr9qoAIHk5PSdm2RO1sHugXMQc.pheeS1QeROHWE9OHjVC6XiOpy'}
Y
    # The package looks for its templates in /usr/share only; they are put there for this process alone.
    export UNPACKED PROGRAM RUN PORT
    # shellcheck disable=SC2016
    setsid unshare --map-root-user --mount bash -c '
        mount -t tmpfs none /usr/share
        cp -r "$UNPACKED/usr/share/prometheus" /usr/share/
        exec "$PROGRAM" --config.file="$RUN/am.yml" --web.config.file="$RUN/web.yml" --storage.path="$RUN/data" \
            --web.listen-address="127.0.0.1:$PORT" --cluster.listen-address=' >"$RUN/log" 2>&1 </dev/null &
    await $! 60
    printf 'url %s\n' "$URL"
}

command_line "$@"
