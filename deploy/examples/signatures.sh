# Ed25519 signatures with openssl and jq; sourced by obey.sh. $dir holds authority.pem and firm.pem.
key_id=$(openssl pkey -in "$dir/firm.pem" -pubout -outform DER | tail -c 32 | sha256sum | cut -c1-16)
signed() { printf 'sandbox-monitor/1 %s\n' "$1" && cat; } # kind: prints the signed bytes for the record on stdin
verified() { # kind, record as printed by kcat -J: succeeds if the authority signed it
    jq -r '.headers | .[index("signature") + 1]' <<<"$2" | cut -d: -f2 | base64 -d >"$dir/signature"
    jq -j .payload <<<"$2" | signed "$1" >"$dir/signed"
    openssl pkeyutl -verify -pubin -inkey "$dir/authority.pem" -rawin -in "$dir/signed" \
        -sigfile "$dir/signature" >/dev/null
}
signature() { # kind, file: prints our signature
    signed "$1" <"$2" >"$dir/signed"
    printf '%s:' "$key_id" && openssl pkeyutl -sign -inkey "$dir/firm.pem" -rawin -in "$dir/signed" | base64 -w0
}
