#!/bin/sh
# Installs what tests and `make stack` need beyond Python, from Debian, and only what is missing: Prometheus (with promtool),
# Alertmanager (with amtool), Chromium with its driver, a Java runtime and Maven (for the Kafka broker), kcat, jq, openssl, Node,
# libfaketime, strace, a C compiler.
# Nothing is started as a service: tests and the stack run their own copies on loopback, with their data in var/.
set -eu

missing=
need() { # program, package
    command -v "$1" >/dev/null 2>&1 || missing="$missing $2"
}
need prometheus prometheus
need promtool prometheus
need prometheus-alertmanager prometheus-alertmanager
need amtool prometheus-alertmanager
need chromium chromium
need chromedriver chromium-driver
[ -d /usr/share/fonts/truetype/dejavu ] || missing="$missing fonts-dejavu-core" # a browser without a font shows no words
need mvn maven
need kcat kcat
need jq jq
need openssl openssl
need node nodejs # runs one of the examples
need npm npm # fetches the accessibility checker for tests of pages
need strace strace # makes single system calls of a notary fail
need cc 'gcc libc6-dev' # builds the clock of a broker that is an hour off
[ -d /usr/share/fonts/truetype/wqy ] || missing="$missing fonts-wqy-zenhei" # Chinese pages and documents
need java default-jre-headless
set -- /usr/lib/*/faketime/libfaketimeMT.so.1
[ -e "$1" ] || missing="$missing libfaketime" # moves the clock of one process in tests
missing=$(printf '%s\n' $missing | sort -u | tr '\n' ' ')
[ -n "${missing% }" ] || exit 0

if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null 2>&1; then
    echo "install-test-servers: missing: $missing" >&2
    echo "install-test-servers: on Debian or Ubuntu run this as root: apt-get install --no-install-recommends $missing" >&2
    exit 1
fi

# 101 = "starting services is forbidden": the packages' own daemons would listen on all interfaces.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    trap 'rm -f "$policy"' EXIT
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod +x "$policy"
fi
export DEBIAN_FRONTEND=noninteractive
echo "install-test-servers: installing $missing" >&2
apt-get update -qq
# shellcheck disable=SC2086 # a list of package names
apt-get install -y -qq --no-install-recommends $missing >/dev/null
