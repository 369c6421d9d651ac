#!/bin/sh
# Obeys halts without the SDK: needs kcat and openssl, and nothing else that Linux does not have. See monitor/sdk/WITHOUT-SDK.md.
# usage: TRUST=ed25519:... [KEY=our-key-file] obey.sh BROKER PILOT SOURCE STATE-DIR 'command that starts the service' 'command that stops it'
set -eu
TRUST=${TRUST:-} KEY=${KEY:-}
broker=$1 pilot=$2 state=$4 start=$5 stop=$6
prefix=${PREFIX:-sandbox} every=${EVERY:-2} # seconds between two looks
source="$3/$(date +%s)-$$"                  # a new name for each start, so that its numbers may begin at 1
sequence=0 answered=0 up=no until=0 standing=0 drill=false halted=
mkdir -p "$state"
# The authority's public key, as openssl reads it: a fixed beginning, then the 32 bytes. Without TRUST whoever writes is believed.
{ printf 'MCowBQYDK2VwAyEA%s\n' "${TRUST#ed25519:}" | sed '1i -----BEGIN PUBLIC KEY-----
$a -----END PUBLIC KEY-----'; } >"$state/authority.pem"
if [ -n "$KEY" ]; then # our own key, where the charter names it: a fixed beginning, then the 32 bytes of the file
    { printf '\060\056\002\001\000\060\005\006\003\053\145\160\004\042\004\040' && cat "$KEY"; } >"$state/own.der"
    key_id=$(openssl pkey -inform DER -in "$state/own.der" -pubout -outform DER | tail -c 32 | sha256sum | cut -c1-16)
fi

now() { cut -d. -f1 /proc/uptime; } # CLOCK_BOOTTIME in seconds: counts through sleep, and nobody sets it
field() { printf %s "$1" | sed -n 's/.*"'"$2"'":"\{0,1\}\([^",}]*\).*/\1/p'; }
believed() { # kind, headers, body: fails, and says so, unless the authority signed it
    [ -n "$TRUST" ] || return 0
    printf 'sandbox-monitor/1 %s\n%s' "$1" "$3" >"$state/body"
    printf %s "$2" | sed -n 's/.*signature=[0-9a-f]*:\([A-Za-z0-9+/=]*\).*/\1/p' | base64 -d >"$state/signature"
    openssl pkeyutl -verify -pubin -inkey "$state/authority.pem" -rawin -in "$state/body" -sigfile "$state/signature" \
        >/dev/null 2>&1 || { echo "obey: a $1 was not believed" >&2; return 1; }
}
read_topic() { # topic, offset, kind: what we believe of our key, committed records only; fails when the broker does not answer
    timeout 10 kcat -q -C -e -b "$broker" -t "$prefix.$1" -o "$2" -X isolation.level=read_committed -f '%k\t%h\t%s\n' \
        >"$state/$1" || return 1
    while IFS="$(printf '\t')" read -r key headers body; do
        if [ "$key" = "$pilot" ] && [ -n "$body" ] && believed "$3" "$headers" "$body"; then printf '%s\n' "$body"; fi
    done <"$state/$1"
}
send() { # type, data
    sequence=$((sequence + 1))
    printf '{"specversion":"1.0","id":"%s-%d","source":"%s","type":"sandbox.%s","subject":"%s","time":"%s","sequence":"%020d","data":%s}' \
        "$source" $sequence "$source" "$1" "$pilot" "$(date -u +%Y-%m-%dT%H:%M:%SZ)" $sequence "$2" >"$state/event"
    set -- -H content-type=application/cloudevents+json
    if [ -n "$KEY" ]; then
        { printf 'sandbox-monitor/1 telemetry\n' && cat "$state/event"; } >"$state/body"
        openssl pkeyutl -sign -keyform DER -inkey "$state/own.der" -rawin -in "$state/body" -out "$state/signature"
        set -- "$@" -H "signature=$key_id:$(base64 -w0 <"$state/signature")"
    fi
    timeout 10 kcat -q -P -b "$broker" -t "$prefix.telemetry" -k "$pilot" -X acks=all -X partitioner=murmur2_random "$@" \
        <"$state/event"
}
stand() { [ $up = yes ] && { sh -c "$stop"; up=no; }; return 0; }
trap 'stand; exit 0' INT TERM
sh -c "$stop" || true # what an earlier start of ours left running, should we have been killed

while :; do
    # 1. What stands: the command of the highest standing. If it cannot be read, nothing new is known, and the lease runs out.
    if read_topic commands beginning command >"$state/believed"; then
        while IFS= read -r line; do
            number=$(field "$line" standing)
            if [ "$number" -ge $standing ]; then
                standing=$number drill=$(field "$line" dry_run) id=$(field "$line" id)
                [ "$(field "$line" action)$drill" = haltfalse ] && halted=$(field "$line" decision) || halted=
            fi
        done <"$state/believed"
        # 2. Obey before answering. The file stays after a release: removing it is how the firm resumes.
        if [ -n "$halted" ]; then stand; echo "$halted" >"$state/halted"; fi
        if [ $standing -gt $answered ] &&
            send command.acknowledged "{\"command\":\"$id\",\"standing\":$standing,\"dry_run\":$drill}"; then answered=$standing; fi
    fi
    # 3. Show that we live, and ask for the permit that answers exactly this heartbeat.
    [ $up = yes ] && serving=true || serving=false
    nonce=$(od -An -N12 -tx1 /dev/urandom | tr -d ' \n') sent=$(now)
    send heartbeat "{\"nonce\":\"$nonce\",\"serving\":$serving,\"exposure\":0}" || true
    sleep "$every"
    permit=$(read_topic permits -50 permit | grep "\"nonce\":\"$nonce\"" | grep "\"standing\":$standing," || true)
    [ -n "$permit" ] && until=$((sent + $(field "$permit" lease_ms) / 1000))
    # 4. Serve only under a permit, and never while the halt's file is there.
    if [ "$(now)" -ge $until ] || [ -e "$state/halted" ]; then stand
    elif [ $up = no ]; then sh -c "$start" && up=yes
    fi
done
