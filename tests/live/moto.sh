#!/usr/bin/env bash
# Starts or stops an emulation of AWS IAM and STS on loopback for the live tests: `moto.sh start|stop`.
#
# It is PyPI's `moto`, kept in a cache directory, with signatures, the state of keys and policies enforced. `start` returns
# when it answers and prints its `url` and an administrator's `key` and `secret`. With STANCH_LIVE_OWNER=PID it ends by
# itself soon after that process has ended.
set -euo pipefail

VERSION=${STANCH_MOTO_VERSION:-5.2}
PORT=${STANCH_MOTO_PORT:-28110}
CACHE=${STANCH_LIVE_CACHE:-$HOME/.cache/stanch-live}
RUN=$CACHE/run-moto-$PORT
PIDFILE=$RUN/pid
URL=http://127.0.0.1:$PORT
PYTHON=$CACHE/moto-$VERSION/bin/python
HERE=$(cd "$(dirname "$0")" && pwd)

# shellcheck source=server.sh
. "$(dirname "$0")/server.sh"

answers() { curl -fsS -o /dev/null --max-time 2 --noproxy '*' "$URL/moto-api/" 2>/dev/null; }

# Asks IAM as nobody in particular, before signatures are enforced.
iam() {
    curl -fsS --noproxy '*' "$URL/" -H 'Authorization: AWS4-HMAC-SHA256 Credential=boot/20260101/us-east-1/iam/aws4_request, SignedHeaders=host, Signature=x' \
        -d Version=2010-05-08 "$@"
}

start() {
    stop
    mkdir -p "$RUN"
    exec 9>"$CACHE/moto.lock"
    flock 9
    if [ ! -e "$CACHE/moto-$VERSION/ready" ]; then
        say "installing moto $VERSION with pip"
        { python3 -m venv "$CACHE/moto-$VERSION" && "$CACHE/moto-$VERSION/bin/pip" install --quiet "moto[iam,sts]~=$VERSION" flask flask-cors &&
            touch "$CACHE/moto-$VERSION/ready"; } >"$RUN/pip.log" 2>&1 || { tail -20 "$RUN/pip.log" >&2; exit 1; }
    fi
    exec 9>&-
    MOTO_IAM_LOAD_MANAGED_POLICIES=true setsid "$PYTHON" "$HERE/moto_server.py" -H 127.0.0.1 -p "$PORT" >"$RUN/log" 2>&1 </dev/null &
    await $! 90
    iam -d Action=CreateUser -d UserName=soc-console >/dev/null
    iam -d Action=PutUserPolicy -d UserName=soc-console -d PolicyName=all \
        --data-urlencode 'PolicyDocument={"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}' >/dev/null
    local key
    key=$(iam -d Action=CreateAccessKey -d UserName=soc-console)
    curl -fsS --noproxy '*' "$URL/moto-api/reset-auth" -H 'content-type: application/json' -d 0 >/dev/null
    printf 'url %s\nkey %s\nsecret %s\n' "$URL" "$(sed -n 's/.*<AccessKeyId>\(.*\)<\/AccessKeyId>.*/\1/p' <<<"$key")" \
        "$(sed -n 's/.*<SecretAccessKey>\(.*\)<\/SecretAccessKey>.*/\1/p' <<<"$key")"
}

command_line "$@"
