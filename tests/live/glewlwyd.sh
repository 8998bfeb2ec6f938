#!/usr/bin/env bash
# Starts or stops a real Glewlwyd on loopback for the live tests: `glewlwyd.sh start|stop`.
#
# The server is Debian's `glewlwyd`, unpacked into a cache directory: its post-install script wants a configured database. Its
# libraries come from apt-get. `start` returns when it answers and prints its `url`, an administrator's API `key`, and the
# `client` and `secret` of a service with a grant for client credentials. With STANCH_LIVE_OWNER=PID it ends by itself soon
# after that process has ended.
set -euo pipefail

PORT=${STANCH_GLEWLWYD_PORT:-28140}
CACHE=${STANCH_LIVE_CACHE:-$HOME/.cache/stanch-live}
RUN=$CACHE/run-glewlwyd-$PORT
PIDFILE=$RUN/pid
URL=http://127.0.0.1:$PORT
HOME_DIR=$CACHE/glewlwyd

# shellcheck source=server.sh
. "$(dirname "$0")/server.sh"

answers() { curl -fsS -o /dev/null --max-time 2 --noproxy '*' "$URL/config" 2>/dev/null; }

install() {
    [ -e "$HOME_DIR/ready" ] && return 0
    say "installing glewlwyd with apt-get"
    rm -rf "$HOME_DIR"
    mkdir -p "$HOME_DIR/deb"
    {
        (cd "$HOME_DIR/deb" && apt-get download glewlwyd)
        # All it needs at run time but what only its configuration by the package needs.
        local needs
        needs=$(dpkg -f "$HOME_DIR"/deb/glewlwyd_*.deb Depends | tr ',' '\n' | sed -E 's/^ +//; s/[ (|].*//' | grep -E '^lib|^zlib')
        # shellcheck disable=SC2086
        DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends sqlite3 jq $needs
        dpkg -x "$HOME_DIR"/deb/glewlwyd_*.deb "$HOME_DIR"
        touch "$HOME_DIR/ready"
    } >"$RUN/install.log" 2>&1 || { tail -20 "$RUN/install.log" >&2; exit 1; }
}

# Asks the admin API with the session of the administrator.
admin() { curl -fsS --noproxy '*' -b "$RUN/jar" -c "$RUN/jar" -H 'content-type: application/json' "$@"; }

start() {
    stop
    mkdir -p "$RUN"
    exec 9>"$CACHE/glewlwyd.lock"
    flock 9
    install
    exec 9>&-
    rm -f "$RUN/db" "$RUN/jar"
    sqlite3 "$RUN/db" <"$HOME_DIR/usr/share/dbconfig-common/data/glewlwyd/install/sqlite3"
    zcat "$HOME_DIR/usr/share/doc/glewlwyd/glewlwyd.conf.sample.gz" | sed -E \
        -e "s#^port=.*#port=$PORT\nbind_address=\"127.0.0.1\"#" \
        -e "s#^external_url=.*#external_url=\"$URL\"#" \
        -e 's#^cookie_domain=.*#cookie_domain="127.0.0.1"#; s#^cookie_secure=1#cookie_secure=0#' \
        -e 's#^admin_session_authentication=.*#admin_session_authentication="cookie,api_key"#' \
        -e "s#/var/cache/glewlwyd/glewlwyd.db#$RUN/db#; s#\"/usr/lib/glewlwyd#\"$HOME_DIR/usr/lib/glewlwyd#" \
        -e "s#/usr/share/glewlwyd/webapp#$RUN#; s#^log_level=.*#log_level=\"WARNING\"#" \
        -e 's#^use_secure_connection=.*#use_secure_connection=false#' >"$RUN/glewlwyd.conf"
    setsid "$HOME_DIR/usr/bin/glewlwyd" --config-file="$RUN/glewlwyd.conf" >"$RUN/log" 2>&1 </dev/null &
    await $! 60
    admin "$URL/api/auth" -d '{"username":"admin","password":"password"}'
    admin "$URL/api/scope" -d '{"name":"deploy","display_name":"deploy","password_required":false,"scheme":{}}'
    admin "$URL/api/mod/plugin" -d '{"module":"oidc","name":"oidc","display_name":"oidc","enabled":true,"parameters":{"iss":"'"$URL"'/api/oidc","jwt-type":"sha","jwt-key-size":"256","key":"0123456789abcdef0123456789abcdef0123456789abcdef","access-token-duration":600,"refresh-token-duration":1209600,"code-duration":600,"refresh-token-rolling":true,"allow-non-oidc":true,"auth-type-code-enabled":true,"auth-type-token-enabled":false,"auth-type-id-token-enabled":true,"auth-type-none-enabled":false,"auth-type-password-enabled":false,"auth-type-client-enabled":true,"auth-type-device-enabled":false,"auth-type-refresh-enabled":true,"scope":[],"introspection-revocation-allowed":true,"introspection-revocation-auth-scope":["g_admin"],"introspection-revocation-allow-target-client":true,"client-register-allowed":false,"session-management-allowed":false,"pkce-allowed":false,"request-parameter-allow":false,"secret-type":"pairwise","address-claim":{"type":"no"},"subject-type":"public"}}'
    admin "$URL/api/client/" -d '{"client_id":"svc-deployer","name":"svc","password":"live-client-secret-0123","confidential":true,"enabled":true,"scope":["deploy"],"authorization_type":["client_credentials"],"redirect_uri":[],"token_endpoint_auth_method":["client_secret_basic"]}'
    printf 'url %s\nkey %s\nclient svc-deployer\nsecret live-client-secret-0123\n' "$URL" "$(admin -X POST "$URL/api/key" -d '{}' | jq -r .key)"
}

command_line "$@"
