#!/bin/sh
# Obeys halts without the SDK: needs kcat, and nothing else that Linux does not have. See monitor/sdk/WITHOUT-SDK.md.
# usage: obey.sh BROKER PILOT SOURCE STATE-DIR 'command that starts the service' 'command that stops it'
set -eu
broker=$1 pilot=$2 state=$4 start=$5 stop=$6
prefix=${PREFIX:-sandbox} every=${EVERY:-2} # seconds between two looks
source="$3/$(date +%s)-$$"                  # a new name for each start, so that its numbers may begin at 1
sequence=0 answered=0 up=no until=0
mkdir -p "$state"

now() { cut -d. -f1 /proc/uptime; } # CLOCK_BOOTTIME in seconds: counts through sleep, and nobody sets it
field() { printf %s "$1" | sed -n 's/.*"'"$2"'":"\{0,1\}\([^",}]*\).*/\1/p'; }
read_topic() { # topic, offset: the values of our key, committed ones only; fails when the broker does not answer
    timeout 10 kcat -q -C -e -b "$broker" -t "$prefix.$1" -o "$2" -X isolation.level=read_committed -f '%k\t%s\n' \
        >"$state/$1" && awk -F '\t' -v k="$pilot" '$1 == k && $2 != "" { print $2 }' "$state/$1"
}
send() { # type, data
    sequence=$((sequence + 1))
    printf '{"specversion":"1.0","id":"%s-%d","source":"%s","type":"sandbox.%s","subject":"%s","time":"%s","sequence":"%020d","data":%s}' \
        "$source" $sequence "$source" "$1" "$pilot" "$(date -u +%Y-%m-%dT%H:%M:%SZ)" $sequence "$2" |
        timeout 10 kcat -q -P -b "$broker" -t "$prefix.telemetry" -k "$pilot" -X acks=all \
            -X partitioner=murmur2_random -H content-type=application/cloudevents+json
}
stand() { [ $up = yes ] && { sh -c "$stop"; up=no; }; return 0; }
trap 'stand; exit 0' INT TERM

while :; do
    # 1. What stands: the command of the highest standing. If it cannot be read, nothing new is known, and the lease runs out.
    if commands=$(read_topic commands beginning); then
        highest=0 command=
        while IFS= read -r line; do
            [ -n "$line" ] && [ "$(field "$line" standing)" -gt $highest ] && command=$line highest=$(field "$line" standing)
        done <<EOF
$commands
EOF
        [ "$(field "$command" action)$(field "$command" dry_run)" = haltfalse ] && halted=yes || halted=no
        # 2. Obey before answering. The file stays after a release: removing it is how the firm resumes.
        [ $halted = yes ] && { stand; field "$command" decision >"$state/halted"; }
        if [ $highest -gt $answered ]; then
            drill=$(field "$command" dry_run)
            send command.acknowledged "{\"command\":\"$(field "$command" id)\",\"standing\":$highest,\"dry_run\":${drill:-false}}" &&
                answered=$highest
        fi
    fi
    # 3. Show that we live, and ask for the permit that answers exactly this heartbeat.
    [ $up = yes ] && serving=true || serving=false
    nonce=$(od -An -N12 -tx1 /dev/urandom | tr -d ' \n') sent=$(now)
    send heartbeat "{\"nonce\":\"$nonce\",\"serving\":$serving,\"exposure\":0}" || true
    sleep "$every"
    permit=$(read_topic permits -50 | grep "\"nonce\":\"$nonce\"" | grep "\"standing\":${highest:-0}," || true)
    [ -n "$permit" ] && until=$((sent + $(field "$permit" lease_ms) / 1000))
    # 4. Serve only under a permit, and never while the halt's file is there.
    if [ "$(now)" -ge $until ] || [ -e "$state/halted" ]; then stand
    elif [ $up = no ]; then sh -c "$start" && up=yes
    fi
done
