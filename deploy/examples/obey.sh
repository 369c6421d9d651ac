#!/bin/bash
# Obeys halts without the SDK: needs kcat, jq and openssl. monitor/sdk/WITHOUT-SDK.md explains each step.
# usage: [FIRM=firm-1, if it has separate topics] obey.sh BROKER PILOT SOURCE DIR 'starts the service' 'stops it'
set -uo pipefail
broker=$1 pilot=$2 source=$3/$(date +%s)-$$ dir=$4 start=$5 stop=$6 prefix=${PREFIX:-sandbox} every=${EVERY:-2}
standing=$(cat "$dir/standing" 2>/dev/null || echo 0) halt=false up=false sequence=0 nonce=none sent=0 until=0
firm=${FIRM:+.$FIRM}; . "$(dirname "$0")/signatures.sh"; stand() { bash -c "$stop"; up=false; }
now() { cut -d. -f1 /proc/uptime; } # CLOCK_BOOTTIME in seconds: includes sleep and cannot be set
listen() { # kind, offset: prints each committed record of our pilot, endlessly; kcat ends without a broker
    while kill -0 $$ && sleep 1; do kcat -quCJ -b "$broker" -t "$prefix.${1}s$firm" -o "$2" -X isolation.level=read_committed |
        jq -r --unbuffered --arg kind "$1" --arg pilot "$pilot" 'select(.key == $pilot and .payload) | "\($kind) \(tojson)"'; done
}
send() { # type, data: one event
    printf '{"specversion":"1.0","id":"%s-%d","source":"%s","sequence":"%020d","type":"sandbox.%s","subject":"%s",' \
        "$source" $((++sequence)) "$source" $sequence "$1" "$pilot" >"$dir/event"
    printf '"time":"%s","data":%s}' "$(date -u +%FT%TZ)" "$2" >>"$dir/event"
    timeout 3 kcat -qP -b "$broker" -t "$prefix.telemetry$firm" -k "$pilot" -X acks=all -X partitioner=murmur2_random \
        -H content-type=application/cloudevents+json -H "signature=$(signature telemetry "$dir/event")" "$dir/event"
}
stand && trap 'stand; trap - TERM; kill 0' EXIT # what an earlier start left running
while true; do
    if $halt; then touch "$dir/halted"; fi # stays after a release: the firm resumes by removing it
    if [ -e "$dir/halted" ] || [ "$(now)" -ge $until ]; then $up && stand
    elif ! $up; then bash -c "$start" && up=true; fi
    if [ "$(now)" -ge $((sent + every)) ]; then
        nonce=$(openssl rand -hex 12) sent=$(now)
        send heartbeat "{\"nonce\":\"$nonce\",\"serving\":$up,\"exposure\":0}"
    fi
    read -r -t 1 -u 3 kind record || continue
    verified "$kind" "$record" || { echo "obey: rejected a $kind: signature not valid" >&2; continue; }
    read -r number action drill id echo lease lifted < <(jq -r '.payload | fromjson |
        "\(.standing) \(.action) \(.dry_run) \(.id) \(.nonce) \(.lease_ms) \(.lifted // "")"' <<<"$record")
    if [ "$kind $number $echo" = "permit $standing $nonce" ]; then until=$((sent + lease / 1000)); fi
    if [ "$kind" = command ] && [ "$number" -ge "$standing" ]; then
        halt=false; if [ "$action$drill" = haltfalse ]; then halt=true && stand; fi # a drill stops nothing
        [ -z "$lifted" ] || grep -qsx "$lifted" "$dir/lifted" || { stand; touch "$dir/halted" && echo "$lifted" >"$dir/lifted"; }
        standing=$number && echo "$number" >"$dir/standing"
        send command.acknowledged "{\"command\":\"$id\",\"standing\":$number,\"dry_run\":$drill}"
    fi
done 3< <(listen command beginning & listen permit end)
