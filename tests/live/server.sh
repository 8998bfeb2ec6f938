# What the scripts of all live servers share. They set RUN, PIDFILE and URL, and define `answers` and `start`.
# shellcheck shell=bash

say() { printf '%s\n' "$*" >&2; }

stop() {
    [ -f "$PIDFILE" ] || return 0
    local pid
    pid=$(cat "$PIDFILE")
    # The process leads its own group, because some servers run as a child of a script.
    kill -TERM -- "-$pid" 2>/dev/null || true
    for _ in $(seq 100); do
        kill -0 -- "-$pid" 2>/dev/null || break
        sleep 0.1
    done
    kill -KILL -- "-$pid" 2>/dev/null || true
    rm -f "$PIDFILE"
}

# await PID SECONDS: returns when the server answers, and ends it with the process STANCH_LIVE_OWNER, if that is set.
await() {
    local pid=$1 most=$2 begun=$SECONDS
    echo "$pid" >"$PIDFILE"
    until answers; do
        if ! kill -0 "$pid" 2>/dev/null || [ $((SECONDS - begun)) -gt "$most" ]; then
            say "the server did not start; its log ends:"
            tail -20 "$RUN/log" >&2
            stop
            exit 1
        fi
        sleep 0.1
    done
    if [ -n "${STANCH_LIVE_OWNER:-}" ]; then
        setsid bash -c 'while kill -0 "$1" 2>/dev/null; do sleep 1; done; kill -TERM -- "-$2"; rm -f "$3"' \
            _ "$STANCH_LIVE_OWNER" "$pid" "$PIDFILE" >/dev/null 2>&1 </dev/null &
    fi
    say "ready at $URL after $((SECONDS - begun)) s"
}

# start|stop, as the first argument says.
command_line() {
    case "${1:-}" in
        start) start ;;
        stop) stop ;;
        *)
            say "usage: $0 start|stop"
            exit 2
            ;;
    esac
}
