#!/usr/bin/env python3
"""Checks one journal without stanch: python3 verify.py LOG_DIRECTORY  (needs openssl 3 for the signatures).

Each line's SHA-256(0x00 || line) is the next line's "prev" and a leaf of the RFC 6962 tree; each checkpoint line
holds a C2SP signed note over (origin, number of lines before it, root). Behind the last line of a segment there may be
NUL bytes, room that a writer keeps for what comes next. Exit 0 intact, 1 not.

What stands in a record: v seq prev type ts, actor{user uid euid loginuid sessionid host tty ssh_from sudo_from pid
start boot version key person}, drill, policy (SHA-256 of the playbooks in force), mono, clk{sync}, then by type:
  decision  kind alert reason plan step; a confirmed plan of the hard tier always has a reason
  plan      digest plan{... incident playbook playbook_sha256 ...}; digest is SHA-256 over the plan, keys sorted
  intent    intent digest step verb provider identity environment alert plan{log seq} undo incident
            process{pid start boot}; durable before a request leaves; the rendered requests stand in the plan
  attempt   intent request attempt at outcome http_status retry_after waited_ms; requests that were sent again
  outcome   intent outcome http_status provider_request_id attempts error error_class retry_after bytes_sent
            headers_sha256 body_sha256 evidence[{name sha256 size source media fetched_at}]; the bytes are in blobs/
  verify    intent proof says tries evidence_sha256; what the read-back told
  anchor    kind size cosigned; somebody else holds the head over so many lines, a witness with its signature
What an earlier console could only keep outside of the log has kept_elsewhere{ts why} beside its own fields."""
import base64, glob, hashlib, json, os, subprocess, sys, tempfile

def sha(data): return hashlib.sha256(data).digest()
good = 0  # Records before this one are covered by a checkpoint that held.
def die(seq, why): sys.exit(f"record {seq}: {why}; records from {good} on are not trustworthy")

def root(peaks):
    if not peaks: return sha(b"")
    right = peaks[-1][1]
    for _, left in reversed(peaks[:-1]): right = sha(b"\1" + left + right)
    return right

def add(peaks, leaf):
    height, node = 0, leaf
    while peaks and peaks[-1][0] == height: node, height = sha(b"\1" + peaks.pop()[1] + node), height + 1
    return peaks + [(height, node)]

def signed_by(key, text, signature):
    spki = bytes.fromhex("302a300506032b6570032100") + key
    pem = b"-----BEGIN PUBLIC KEY-----\n" + base64.b64encode(spki) + b"\n-----END PUBLIC KEY-----\n"
    with tempfile.TemporaryDirectory() as d:
        for name, data in (("k", pem), ("t", text), ("s", signature)):
            with open(os.path.join(d, name), "wb") as f: f.write(data)
        return subprocess.run(["openssl", "pkeyutl", "-verify", "-pubin", "-inkey", "k", "-rawin", "-in", "t",
                               "-sigfile", "s"], cwd=d, capture_output=True).returncode == 0

def read_key(vkey, seq):
    name, key_id, blob = vkey.split("+", 2)
    raw = base64.b64decode(blob)
    if raw[0] != 1 or sha(name.encode() + b"\n" + raw)[:4].hex() != key_id: die(seq, "bad key")
    return name, key_id, raw[1:]

def main(log):
    global good
    seq, prev, peaks, key, committed, new, epoch, last = 0, bytes(32), [], None, 0, None, False, None
    whole = glob.glob(os.path.join(log, "*.jsonl"))
    pruned = [p for p in glob.glob(os.path.join(log, "*.pruned")) if p[:-7] + ".jsonl" not in whole]
    withheld, excused = [], []
    for path in sorted(whole + pruned):
        if os.path.basename(path).split(".")[0] != f"{seq:020}": die(seq, f"expected segment {seq:020}, found {path}")
        data = open(path, "rb").read().rstrip(b"\0")  # room that a writer keeps behind its lines
        for nth, line in enumerate(data.split(b"\n")[:-1]):
            if path in pruned and len(line) == 64 and key:
                prev = bytes.fromhex(line.decode("ascii"))
                withheld.append(seq)
                peaks = add(peaks, prev)
                seq += 1
                continue
            if any(not 0x20 <= b < 0x7F for b in line): die(seq, "a byte that a journal never holds")
            if not line.startswith(b'{"v":1,"seq":%d,"prev":"%s","type":"' % (seq, prev.hex().encode())):
                die(seq, "does not continue the chain")
            record = json.loads(line)
            if seq == 0: key = read_key(record["key"], 0)
            elif record["type"] == "key_rotate": new, epoch = read_key(record["new_vkey"], seq), False
            elif record["type"] == "genesis" and nth == 0:
                new, epoch = read_key(record["key"], seq), True
                if record.get("last_head") != last: die(seq, "a new epoch that does not name the last head")
                if new != key: print(f"record {seq}: UNCONTINUED, key {new[1]} was not signed by key {key[1]}")
            if new and new[0] != key[0]: die(seq, "a key of another log")
            if record["type"] == "checkpoint":
                origin, note = key[0], record["note"]
                text = f"{origin}\n{seq}\n{base64.b64encode(root(peaks)).decode()}\n"
                if not note.startswith(text + "\n") or note[-1] != "\n": die(seq, "another origin, size or root")
                signers = [key] if not new else [new] if epoch else [key, new]
                lines = note[len(text) + 1:-1].split("\n")
                if len(lines) != len(signers): die(seq, "another number of signatures")
                for signer, signed in zip(signers, lines):
                    mark = f"\u2014 {origin} "
                    signature = base64.b64decode(signed[len(mark):], validate=True)
                    if not signed.startswith(mark) or signature[:4].hex() != signer[1]: die(seq, "another key")
                    if not signed_by(signer[2], text.encode(), signature[4:]): die(seq, "bad signature")
                key, new, last = new or key, None, note
                same = json.dumps({"v": 1, "seq": seq, "prev": prev.hex(), "type": "checkpoint", "note": note},
                                  separators=(",", ":")).encode()
                if same != line: die(seq, "not in canonical form")
                committed = good = seq + 1
            prev = sha(b"\0" + line)
            if record["type"] == "prune": excused += record.get("withheld", [])
            peaks = add(peaks, prev)
            seq += 1
        if not data.endswith(b"\n"): die(seq, "cut short")
    for n in withheld:
        if not any(a <= n <= b for a, b in excused): die(n, "content was taken out, and no record says so")
    if not committed or committed != seq: die(committed, "not covered by a signed checkpoint")
    print(f"{key[0]} key {key[1]}: {seq} lines intact; a removed tail cannot be detected without an anchor")

if __name__ == "__main__":
    try: main(sys.argv[1] if len(sys.argv) == 2 else sys.exit(__doc__))
    except (ValueError, KeyError, IndexError, TypeError) as e: sys.exit(f"cannot be read as a log: {e!r}; records from {good} on are not trustworthy")
