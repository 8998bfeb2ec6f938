#!/usr/bin/env bash
# Starts or stops a real Kubernetes control plane on loopback for the live tests: `kubernetes.sh start|stop|install`.
#
# etcd is Debian's `etcd-server`; the API server and the controller manager are built from Debian's source package
# `kubernetes` 1.20 with Debian's Go 1.19, once, into the cache (four minutes on two quiet cores). Nothing is installed into the
# system. There is no kubelet: nothing runs. `start` returns when it answers and prints its `url`, the file of its `ca`, and the
# bearer token of an `admin`. With STANCH_LIVE_OWNER=PID it ends by itself soon after that process has ended.
set -euo pipefail

PORT=${STANCH_KUBERNETES_PORT:-28160}
CACHE=${STANCH_LIVE_CACHE:-$HOME/.cache/stanch-live}
RUN=$CACHE/run-kubernetes-$PORT
PIDFILE=$RUN/pid
URL=https://127.0.0.1:$PORT
HOME_DIR=$CACHE/kubernetes
ADMIN=live-admin-token-0123456789abcdef

# shellcheck source=server.sh
. "$(dirname "$0")/server.sh"

ask() { curl -fsS --max-time 5 --noproxy '*' --cacert "$RUN/pki/ca.crt" -H "Authorization: Bearer $ADMIN" "$@"; }
# The controllers make the account `default` of the namespace of that name: once it is there, both servers work.
answers() { ask -o /dev/null "$URL/readyz" 2>/dev/null && ask -o /dev/null "$URL/api/v1/namespaces/default/serviceaccounts/default" 2>/dev/null; }

# An apt of its own that knows Debian's sources too, and leaves the system's lists alone.
private_apt() {
    local apt=$HOME_DIR/apt
    mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial" "$apt/sources.d"
    touch "$apt/status" "$apt/sources.list"
    if [ -f /etc/apt/sources.list.d/debian.sources ]; then
        sed 's/^Types: .*/Types: deb deb-src/' /etc/apt/sources.list.d/debian.sources >"$apt/sources.d/debian.sources"
    else
        sed -nE 's/^deb (.*)/deb \1\ndeb-src \1/p' /etc/apt/sources.list >"$apt/sources.list"
    fi
    cat >"$apt/apt.conf" <<CONF
Dir::Etc::sourcelist "$apt/sources.list";
Dir::Etc::sourceparts "$apt/sources.d";
Dir::State::lists "$apt/lists";
Dir::State::status "$apt/status";
Dir::Cache "$apt/cache";
APT::Sandbox::User "root";
CONF
    export APT_CONFIG=$apt/apt.conf
    apt-get update
}

build() {
    local work=$HOME_DIR/work source=$HOME_DIR/work/src/k8s.io/kubernetes types list
    rm -rf "$work" "$HOME_DIR/bin"
    mkdir -p "$work/deb" "$work/root" "$source" "$HOME_DIR/bin"
    (
        private_apt
        cd "$work/deb"
        apt-get download etcd-server golang-1.19-go golang-1.19-src golang-github-modern-go-reflect2-dev
        apt-get source --download-only kubernetes
    )
    for deb in "$work"/deb/*.deb; do dpkg -x "$deb" "$work/root"; done
    cp "$work/root/usr/bin/etcd" "$HOME_DIR/bin/"
    tar xzf "$work"/deb/kubernetes_*.orig.tar.gz -C "$source" --strip-components=1
    # The vendored reflect2 panics on maps since Go 1.18.
    rm -rf "$source/vendor/github.com/modern-go/reflect2"
    cp -r "$work/root/usr/share/gocode/src/github.com/modern-go/reflect2" "$source/vendor/github.com/modern-go/"
    rm -f "$source"/vendor/github.com/modern-go/reflect2/*_test.go
    export GOROOT=$work/root/usr/lib/go-1.19 GOPATH=$work GOCACHE=$work/cache GOPROXY=off GO111MODULE=off GOFLAGS='' CGO_ENABLED=0
    export PATH=$GOROOT/bin:$PATH
    cd "$source"
    # A build without git says that it is v0.0.0, which clients refuse.
    sed -i -E 's/^(\s*gitVersion) .*/\1 = "v1.20.2"/; s/^(\s*gitMajor) .*/\1 = "1"/; s/^(\s*gitMinor) .*/\1 = "20"/' \
        staging/src/k8s.io/component-base/version/base.go staging/src/k8s.io/client-go/pkg/version/base.go
    # The package leaves out the generated descriptions of the API's types.
    go build -o "$work/openapi-gen" ./vendor/k8s.io/kube-openapi/cmd/openapi-gen
    types=$(find -L pkg vendor/k8s.io -maxdepth 12 -name '*.go' ! -name '*_test.go' 2>/dev/null |
        grep -v -E 'vendor/k8s.io/(code-generator|sample-|kubectl|cli-)' |
        xargs grep -l '+k8s:openapi-gen=' | xargs -n1 dirname | sort -u)
    list=$(for folder in $types; do printf 'k8s.io/kubernetes/%s,' "$folder"; done | sed 's/,$//')
    # It reports long known violations of its naming rules as a failure; what it wrote is what counts.
    "$work/openapi-gen" --logtostderr -i "$list" -p k8s.io/kubernetes/pkg/generated/openapi -O zz_generated.openapi \
        -h hack/boilerplate/boilerplate.generatego.txt --output-base "$work/src" -r "$work/violations" 2>/dev/null || true
    [ -s pkg/generated/openapi/zz_generated.openapi.go ]
    go build -ldflags='-s -w' -o "$HOME_DIR/bin/" ./cmd/kube-apiserver ./cmd/kube-controller-manager
    cd "$HOME_DIR"
    rm -rf "$work" "$HOME_DIR/apt"
    touch "$HOME_DIR/ready"
}

# Builds unless that was done; only one process does it, the others wait for it.
install() {
    local begun=$SECONDS
    mkdir -p "$RUN" "$HOME_DIR"
    exec 9>"$CACHE/kubernetes.lock"
    flock 9
    if [ ! -e "$HOME_DIR/ready" ]; then
        say "building the Kubernetes API server from Debian's source package"
        # In a shell of its own, because inside a condition `set -e` would not end it.
        "$0" build >"$RUN/install.log" 2>&1 || { tail -20 "$RUN/install.log" >&2; exit 1; }
        say "built in $((SECONDS - begun)) s"
    fi
    exec 9>&-
}

# A certificate authority of our own and a server certificate by it: what the console's `ca_file` is for.
certify() {
    local pki=$RUN/pki
    mkdir -p "$pki"
    openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=stanch-live-ca -keyout "$pki/ca.key" -out "$pki/ca.crt" \
        -addext 'basicConstraints=critical,CA:TRUE' -addext 'keyUsage=critical,keyCertSign,cRLSign'
    openssl req -newkey rsa:2048 -nodes -subj /CN=kube-apiserver -keyout "$pki/server.key" -out "$pki/server.csr"
    openssl x509 -req -in "$pki/server.csr" -CA "$pki/ca.crt" -CAkey "$pki/ca.key" -CAcreateserial -days 2 -out "$pki/server.crt" \
        -extfile <(printf 'subjectAltName=IP:127.0.0.1\nextendedKeyUsage=serverAuth\nbasicConstraints=CA:FALSE\n')
    openssl genrsa -out "$pki/accounts.key" 2048
}

start() {
    stop
    install
    local bin=$HOME_DIR/bin
    rm -rf "$RUN/etcd" "$RUN/pki"
    certify >"$RUN/pki.log" 2>&1 || { tail -20 "$RUN/pki.log" >&2; exit 1; }
    echo "$ADMIN,admin,admin,\"system:masters\"" >"$RUN/tokens.csv"
    cat >"$RUN/kubeconfig" <<CONF
{"apiVersion":"v1","kind":"Config","current-context":"live",
 "clusters":[{"name":"live","cluster":{"server":"$URL","certificate-authority":"$RUN/pki/ca.crt"}}],
 "users":[{"name":"live","user":{"token":"$ADMIN"}}],
 "contexts":[{"name":"live","context":{"cluster":"live","user":"live"}}]}
CONF
    cat >"$RUN/run" <<BOOT
#!/usr/bin/env bash
# Three servers in one group: the first that ends by itself ends all.
"$bin/etcd" --data-dir "$RUN/etcd" --unsafe-no-fsync --log-level error \\
    --listen-client-urls http://127.0.0.1:$((PORT + 1)) --advertise-client-urls http://127.0.0.1:$((PORT + 1)) \\
    --listen-peer-urls http://127.0.0.1:$((PORT + 2)) --initial-advertise-peer-urls http://127.0.0.1:$((PORT + 2)) \\
    --initial-cluster default=http://127.0.0.1:$((PORT + 2)) &
"$bin/kube-apiserver" --etcd-servers=http://127.0.0.1:$((PORT + 1)) --bind-address=127.0.0.1 --advertise-address=127.0.0.1 \\
    --secure-port=$PORT --insecure-port=0 --tls-cert-file="$RUN/pki/server.crt" --tls-private-key-file="$RUN/pki/server.key" \\
    --cert-dir="$RUN/pki" --service-cluster-ip-range=10.96.0.0/24 --authorization-mode=RBAC --token-auth-file="$RUN/tokens.csv" \\
    --service-account-issuer="$URL" --api-audiences="$URL" --service-account-key-file="$RUN/pki/accounts.key" \\
    --service-account-signing-key-file="$RUN/pki/accounts.key" --disable-admission-plugins=ServiceAccount \\
    --enable-aggregator-routing=false &
# It gives up when the API server is not there yet.
until curl -fsS -o /dev/null --max-time 2 --noproxy '*' --cacert "$RUN/pki/ca.crt" -H 'Authorization: Bearer $ADMIN' $URL/readyz; do sleep 0.2; done
"$bin/kube-controller-manager" --kubeconfig="$RUN/kubeconfig" --leader-elect=false --bind-address=127.0.0.1 --port=0 \\
    --secure-port=$((PORT + 3)) --cert-dir="$RUN/pki" --service-account-private-key-file="$RUN/pki/accounts.key" \\
    --root-ca-file="$RUN/pki/ca.crt" --use-service-account-credentials=false \\
    --controllers=serviceaccount,serviceaccount-token,tokencleaner,namespace,garbagecollector,deployment,replicaset &
wait -n
kill -TERM -- -\$\$
BOOT
    chmod +x "$RUN/run"
    setsid "$RUN/run" >"$RUN/log" 2>&1 </dev/null &
    await $! 90
    printf 'url %s\nca %s\nadmin %s\n' "$URL" "$RUN/pki/ca.crt" "$ADMIN"
}

case "${1:-}" in
    install) install ;;
    build) build ;;
    *) command_line "$@" ;;
esac
