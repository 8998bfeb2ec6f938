#!/usr/bin/env bash
# Starts or stops a real RabbitMQ with its management API on loopback for the live tests: `rabbitmq.sh start|stop`.
#
# The server is Debian's `rabbitmq-server`, installed with apt-get where it is missing and run apart from the system's own.
# `start` returns when it answers and prints `url`, `admin`, `password`, the port of `amqp` and a `python` with pika. With
# STANCH_LIVE_OWNER=PID the server ends by itself soon after that process has ended.
set -euo pipefail

PORT=${STANCH_RABBITMQ_PORT:-28100}
CACHE=${STANCH_LIVE_CACHE:-$HOME/.cache/stanch-live}
RUN=$CACHE/run-rabbitmq-$PORT
PIDFILE=$RUN/pid
URL=http://127.0.0.1:$PORT
PYTHON=$CACHE/pika/bin/python

# shellcheck source=server.sh
. "$(dirname "$0")/server.sh"

answers() { curl -fsS -o /dev/null --max-time 2 --noproxy '*' -u admin:adminpass "$URL/api/overview" 2>/dev/null; }

install() {
    if ! dpkg -s rabbitmq-server >/dev/null 2>&1; then
        say "installing rabbitmq-server with apt-get"
        # Its own service is not wanted: the package must not start it.
        DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends rabbitmq-server >"$RUN/apt.log" 2>&1 ||
            { tail -20 "$RUN/apt.log" >&2; exit 1; }
    fi
    if [ ! -x "$PYTHON" ]; then
        say "installing pika with pip"
        { python3 -m venv "$CACHE/pika" && "$CACHE/pika/bin/pip" install --quiet 'pika>=1.3,<2'; } >"$RUN/pip.log" 2>&1 ||
            { tail -20 "$RUN/pip.log" >&2; exit 1; }
    fi
}

start() {
    stop
    mkdir -p "$RUN"
    exec 9>"$CACHE/rabbitmq.lock"
    flock 9
    install
    exec 9>&-
    rm -rf "$RUN/mnesia" "$RUN/logs"
    mkdir -p "$RUN/mnesia" "$RUN/logs"
    cat >"$RUN/rabbitmq.conf" <<CONF
listeners.tcp.1 = 127.0.0.1:$((PORT + 1))
management.tcp.ip = 127.0.0.1
management.tcp.port = $PORT
default_user = admin
default_pass = adminpass
collect_statistics_interval = 1000
log.console = false
CONF
    echo '[rabbitmq_management].' >"$RUN/plugins"
    cat >"$RUN/run" <<'BOOT'
#!/usr/bin/env bash
# The name server of Erlang first, in this group, or the broker leaves one behind.
epmd &
exec /usr/lib/rabbitmq/lib/rabbitmq_server-*/sbin/rabbitmq-server
BOOT
    chmod +x "$RUN/run"
    HOME=$RUN ERL_EPMD_ADDRESS=127.0.0.1 ERL_EPMD_PORT=$((PORT + 3)) RABBITMQ_NODENAME="stanch$PORT@localhost" \
        RABBITMQ_CONFIG_FILE=$RUN/rabbitmq RABBITMQ_ENABLED_PLUGINS_FILE=$RUN/plugins RABBITMQ_MNESIA_BASE=$RUN/mnesia \
        RABBITMQ_LOG_BASE=$RUN/logs RABBITMQ_DIST_PORT=$((PORT + 2)) RABBITMQ_CONF_ENV_FILE=/dev/null \
        RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS="-kernel inet_dist_use_interface {127,0,0,1}" \
        setsid "$RUN/run" >"$RUN/log" 2>&1 </dev/null &
    await $! 180
    printf 'url %s\nadmin admin\npassword adminpass\namqp %s\npython %s\n' "$URL" "$((PORT + 1))" "$PYTHON"
}

command_line "$@"
