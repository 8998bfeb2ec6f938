#!/usr/bin/env bash
# Checks one log with nothing but sha256sum, base64 and openssl 3: bash verify.sh LOG_DIRECTORY
#
# Every line's SHA-256(0x00 || line) must be the "prev" of the next; over all of them the root of the RFC 6962 tree is
# computed anew, which must be the one in the last line, signed by the key in the file `vkey`. Compare that file with what
# you pinned. Keys before a rotation, and whether a record says why content was taken out, are checked by verify.py. Some
# processes a line: for small logs and single questions.
# Exit 0 intact, 1 not.
set -u
cd -- "${1:?which log directory}" || exit 2
work=$(mktemp -d) && trap 'rm -rf "$work"' EXIT
die() { echo "record $n: $1; this log is not what was signed (verify.py says up to where it is)" >&2; exit 1; }
sum() { local s; s=$(sha256sum) && echo "${s%% *}"; }
bytes() { printf "$(sed 's/../\\x&/g' <<<"$1")"; }

n=0 prev=$(printf '0%.0s' {1..64}) last= signed=
for file in $(ls | grep -E '^[0-9]{20}\.(jsonl|pruned)$' | sort); do
    [[ $file == *.pruned && -e ${file%.pruned}.jsonl ]] && continue
    [[ ${file%.*} == "$(printf %020d "$n")" ]] || die "expected another segment than $file"
    LC_ALL=C sed '$s/\x00*$//' "$file" >"$work/lines" # Behind its lines a writer keeps room.
    [[ $(LC_ALL=C tr -d '\n -~' <"$work/lines" | wc -c) -eq 0 ]] || die "a byte that a journal never holds in $file"
    while IFS= read -r line || { [[ -n $line ]] && die "cut short"; }; do
        if [[ $file == *.pruned && $line =~ ^[0-9a-f]{64}$ ]]; then
            prev=$line # Content that was taken out; its hash stands in its place.
        else
            [[ $line == "{\"v\":1,\"seq\":$n,\"prev\":\"$prev\",\"type\":\""* ]] || die "does not continue the chain"
            prev=$({ printf '\0'; printf %s "$line"; } | sum)
        fi
        echo "$prev" >>"$work/0"
        last=$line n=$((n + 1))
    done <"$work/lines"
done
n=$((n - 1))
[[ $last == *'","type":"checkpoint","note":"'* ]] || die "not covered by a signed checkpoint"

# Hashes of a level are paired from the left; one that is left over goes up as it is.
head -n "$n" "$work/0" >"$work/level"
while [[ $(wc -l <"$work/level") -gt 1 ]]; do
    while read -r left; do
        if read -r right; then bytes "01$left$right" | sum; else echo "$left"; fi
    done <"$work/level" >"$work/next"
    mv "$work/next" "$work/level"
done
root=$(bytes "$(cat "$work/level")" | base64)

origin=$(cut -d+ -f1 vkey) id=$(cut -d+ -f2 vkey)
note=${last#*'"note":"'} text="$origin\\n$n\\n$root\\n"
[[ $note == "$text\\n"* ]] || die "another origin, size or root"
{ bytes 302a300506032b6570032100; cut -d+ -f3- vkey | base64 -d | tail -c 32; } >"$work/key"
printf %b "$text" >"$work/text"
rest=${note#"$text\\n"}
while [[ $rest =~ ^'\u2014 '([^ ]+)' '([A-Za-z0-9+/]+=*)'\n'(.*)$ ]]; do
    name=${BASH_REMATCH[1]} word=${BASH_REMATCH[2]} rest=${BASH_REMATCH[3]}
    base64 -d <<<"$word" >"$work/signed" 2>/dev/null
    # Two ways to write the same bytes would be two lines with one meaning.
    [[ $name == "$origin" && $word == "$(base64 -w0 <"$work/signed")" ]] || die "a signature that is not in canonical form"
    [[ $(head -c 4 "$work/signed" | od -An -tx1 | tr -d ' \n') == "$id" ]] || continue
    tail -c +5 "$work/signed" >"$work/signature"
    openssl pkeyutl -verify -pubin -keyform DER -inkey "$work/key" -rawin -in "$work/text" \
        -sigfile "$work/signature" >/dev/null 2>&1 || die "bad signature"
    signed=yes
done
[[ $rest == '"}' ]] || die "not in canonical form"
[[ -n $signed ]] || die "not signed by the key in vkey"
echo "$origin key $id: $((n + 1)) lines intact; a removed tail cannot be detected without an anchor"
