package main

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
)

type key struct {
	name   string
	id     [4]byte
	kind   byte
	public []byte
}

type signature struct {
	name string
	id   [4]byte
	data []byte
}

// note is a signed checkpoint.
type note struct {
	text       string
	signatures []signature
	origin     string
	size       int
	root       hash
}

func keyID(name string, kind byte, public []byte) (id [4]byte) {
	digest := sha256.Sum256(append(append([]byte(name+"\n"), kind), public...))
	copy(id[:], digest[:4])
	return id
}

func parseKey(text string) (key, error) {
	parts := strings.SplitN(text, "+", 3)
	if len(parts) != 3 {
		return key{}, fmt.Errorf("no key: NAME+KEYID+BASE64")
	}
	data, err := base64.StdEncoding.Strict().DecodeString(parts[2])
	if err != nil || len(data) < 2 {
		return key{}, fmt.Errorf("no canonical base64")
	}
	k := key{name: parts[0], kind: data[0], public: data[1:]}
	k.id = keyID(k.name, k.kind, k.public)
	if hex.EncodeToString(k.id[:]) != parts[1] {
		return key{}, fmt.Errorf("key id %s does not match", parts[1])
	}
	if (k.kind == 1 || k.kind == 4) && len(k.public) != ed25519.PublicKeySize {
		return key{}, fmt.Errorf("the public key has %d bytes", len(k.public))
	}
	return k, nil
}

// verify says whether a signature over the text is by this key. Types 1 (Ed25519) and 4 (its cosignature) are known.
func (k key) verify(text string, data []byte) bool {
	switch {
	case k.kind == 1 && len(data) == ed25519.SignatureSize:
		return ed25519.Verify(k.public, []byte(text), data)
	case k.kind == 4 && len(data) == 8+ed25519.SignatureSize:
		time := binary.BigEndian.Uint64(data)
		message := fmt.Sprintf("cosignature/v1\ntime %d\n%s", time, text)
		return time < 1<<63 && ed25519.Verify(k.public, []byte(message), data[8:])
	}
	return false
}

// signedBy returns whether the key signed the note, and whether each of its signatures is right.
func (n note) signedBy(k key) (signed, right bool) {
	right = true
	for _, s := range n.signatures {
		if s.name == k.name && s.id == k.id {
			signed = true
			right = right && k.verify(n.text, s.data)
		}
	}
	return signed, right
}

func parseNote(data []byte) (note, error) {
	at := bytes.LastIndex(data, []byte("\n\n"))
	if at < 0 || !bytes.HasSuffix(data, []byte("\n")) {
		return note{}, fmt.Errorf("no signed note")
	}
	n := note{text: string(data[:at+1])}
	for _, line := range strings.Split(strings.TrimSuffix(string(data[at+2:]), "\n"), "\n") {
		words := strings.Split(line, " ")
		if len(words) != 3 || words[0] != "—" {
			return note{}, fmt.Errorf("no signature line: %q", line)
		}
		raw, err := base64.StdEncoding.Strict().DecodeString(words[2])
		if err != nil || len(raw) < 5 {
			return note{}, fmt.Errorf("no signature: %q", line)
		}
		s := signature{name: words[1], data: raw[4:]}
		copy(s.id[:], raw)
		n.signatures = append(n.signatures, s)
	}
	lines := strings.Split(strings.TrimSuffix(n.text, "\n"), "\n")
	if len(lines) < 3 || lines[0] == "" {
		return note{}, fmt.Errorf("no checkpoint: origin, size and root")
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	root, err2 := base64.StdEncoding.Strict().DecodeString(lines[2])
	if err != nil || size < 0 || strconv.FormatInt(size, 10) != lines[1] || err2 != nil || len(root) != 32 {
		return note{}, fmt.Errorf("no checkpoint: size or root")
	}
	n.origin, n.size = lines[0], int(size)
	copy(n.root[:], root)
	return n, nil
}

func lastPart(origin string) string { return origin[strings.LastIndex(origin, "/")+1:] }

func base(origin string) string { return origin[:max(strings.LastIndex(origin, "/"), 0)] }

// logKeysOf are the keys of a log: a key named B or B/authority is that of all logs B/LOG, and of none below B/x/.
func (a *anchors) logKeysOf(origin string) []key {
	var found []key
	for _, k := range a.logKeys {
		if origin == k.name || base(origin) == strings.TrimSuffix(k.name, "/authority") {
			if k.kind == 1 {
				k = key{name: origin, kind: 1, public: k.public, id: keyID(origin, 1, k.public)}
			}
			found = append(found, k)
		}
	}
	return found
}

// checkCheckpoint parses a checkpoint that stands in the place of `log` ("": any) and checks the log's signature.
func checkCheckpoint(data []byte, log string, a *anchors, r *report) (note, bool) {
	n, err := parseNote(data)
	if err != nil {
		r.fail("checkpoint.format", "%v", err)
		return n, false
	}
	if log != "" && lastPart(n.origin) != log {
		r.fail("checkpoint.origin", "a checkpoint of %s in the place of the log %s", n.origin, log)
		return n, false
	}
	keys := a.logKeysOf(n.origin)
	a.used.met = append(a.used.met, n.origin)
	a.used.keyed = a.used.keyed || len(keys) > 0
	good := len(keys) == 0
	for _, k := range keys {
		signed, right := n.signedBy(k)
		good = good || (signed && right)
	}
	if !good {
		r.fail("checkpoint.signature", "%s is not signed by its key", n.origin)
	}
	return n, true
}

// used says which anchors found something to check in one signed input: the maker of a record chooses the names of its
// logs, so an anchor that met nothing of its log must not look like one that was satisfied.
type used struct {
	met                       []string // origins of its checkpoints
	keyed, governed, cosigned bool     // a given key is for one of them, a given policy names one, a given witness signed
}

func (u used) check(a *anchors, r *report) {
	if len(u.met) == 0 {
		return
	}
	if (len(a.logKeys) > 0 || len(a.policies) > 0) && !u.keyed {
		r.fail("checkpoint.signature", "no key that was given is of any of %v", u.met)
	}
	if len(a.policies) > 0 && !u.governed {
		r.fail("policy.satisfied", "no policy that was given names any of %v", u.met)
	}
	if len(a.witnesses) > 0 && len(a.policies) == 0 && !u.cosigned {
		r.fail("witness.cosignature", "no witness that was given cosigned any of %v", u.met)
	}
}

// checkCosigners checks cosignatures of known witnesses, then the policies of the log.
func checkCosigners(n note, a *anchors, r *report) {
	for _, w := range a.witnesses {
		signed, right := n.signedBy(w)
		a.used.cosigned = a.used.cosigned || (signed && right)
	}
	witnesses := append([]key{}, a.witnesses...)
	for _, p := range a.policies {
		if p.governs(n.origin) {
			a.used.governed = true
			for _, w := range p.witnesses {
				witnesses = append(witnesses, w)
			}
		}
	}
	for _, w := range witnesses {
		if signed, right := n.signedBy(w); signed && !right {
			r.fail("witness.cosignature", "the cosignature of %s on %s is wrong", w.name, n.origin)
		}
	}
	for _, p := range a.policies {
		if p.governs(n.origin) && !p.satisfied(n, a.logKeysOf(n.origin)) {
			r.fail("policy.satisfied", "the quorum %s of %s is not reached", p.quorum, n.origin)
		}
	}
}

type group struct {
	needed  int
	members []string
}

type policy struct {
	logs      []key
	witnesses map[string]key
	groups    map[string]group
	order     []string
	quorum    string
}

func (p policy) governs(origin string) bool {
	for _, k := range p.logs {
		if k.name == origin || k.name == base(origin) {
			return true
		}
	}
	return false
}

func (p policy) satisfied(n note, keys []key) bool {
	logged := false
	for _, k := range append(keys, p.logs...) {
		if k.name != n.origin {
			continue
		}
		signed, right := n.signedBy(k)
		if signed && !right {
			return false
		}
		logged = logged || signed
	}
	reached := map[string]bool{"none": true}
	for name, k := range p.witnesses {
		signed, right := n.signedBy(k)
		if signed && !right {
			return false
		}
		reached[name] = signed
	}
	for _, name := range p.order {
		count := 0
		for _, member := range p.groups[name].members {
			if reached[member] {
				count++
			}
		}
		reached[name] = count >= p.groups[name].needed
	}
	return logged && reached[p.quorum]
}

func addPolicy(name string, data []byte, a *anchors, r *report, trusted bool) {
	p := policy{witnesses: map[string]key{}, groups: map[string]group{}}
	for _, line := range strings.Split(strings.TrimSuffix(string(data), "\n"), "\n") {
		words := strings.Fields(line)
		if len(words) == 0 || strings.HasPrefix(words[0], "#") {
			continue
		}
		if err := p.read(words); err != nil {
			r.fail("policy.format", "%s: %v", name, err)
			return
		}
	}
	if p.quorum == "" || len(p.logs) == 0 {
		r.fail("policy.format", "%s: no quorum or no log", name)
		return
	}
	if p.quorum == "none" {
		r.fail("policy.quorum", "%s: its quorum is none", name)
	}
	a.policies = append(a.policies, p)
	if trusted {
		a.logKeys = append(a.logKeys, p.logs...)
	}
}

func (p *policy) read(words []string) error {
	switch {
	case words[0] == "log" && len(words) >= 2:
		k, err := parseKey(words[1])
		p.logs = append(p.logs, k)
		return err
	case words[0] == "witness" && len(words) >= 3:
		k, err := parseKey(words[2])
		p.witnesses[words[1]] = k
		return err
	case words[0] == "group" && len(words) >= 4:
		g := group{members: words[3:]}
		switch words[2] {
		case "all":
			g.needed = len(g.members)
		case "any":
			g.needed = 1
		default:
			needed, err := strconv.Atoi(words[2])
			if err != nil || needed < 1 || needed > len(g.members) {
				return fmt.Errorf("group %s", words[1])
			}
			g.needed = needed
		}
		p.groups[words[1]] = g
		p.order = append(p.order, words[1])
		return nil
	case words[0] == "quorum" && len(words) == 2:
		p.quorum = words[1]
		return nil
	}
	return fmt.Errorf("unknown line: %s", strings.Join(words, " "))
}
