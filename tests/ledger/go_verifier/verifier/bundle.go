package main

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

type manifest struct {
	Format, Origin, Pilot string
	Start, End, Size      int
	Files                 map[string]string
	Verifier              map[string]string
}

// places are the files of a bundle besides policies; the first four must be there.
var places = []string{
	"log/checkpoint", "log/entries", "log/range", "authority/leaf.tlog-proof", "bundle.json", "words.jsonl",
	"authority/stamp/checkpoint", "authority/stamp/token.tsr", "authority/stamp/chain.pem",
	"authority/stamp/revocation.pem",
}

// verifyBundle checks a bundle, and that the trust anchors found something in it.
func verifyBundle(data []byte, a *anchors, r *report) {
	own := *a // the policies of a bundle are for it alone
	own.used = &used{}
	checkBundle(data, &own, r)
	own.used.check(a, r)
}

// checkBundle checks the layout, then the two stacked proofs.
func checkBundle(data []byte, a *anchors, r *report) {
	m, files, err := unpack(data)
	if err != nil {
		r.fail("bundle.layout", "%v", err)
		return
	}
	gone := false
	for name := range m.Files {
		if _, here := files[name]; !here && strings.HasPrefix(name, "authority/stamp/") {
			r.fail("stamp.present", "%s is listed and missing", name)
		} else if !here {
			r.fail("bundle.layout", "%s is listed and missing", name)
			gone = true
		}
	}
	if gone {
		return
	}
	if len(a.policies) == 0 {
		for name, raw := range files {
			if strings.HasPrefix(name, "policy/") {
				addPolicy(name, raw, a, r, false)
			}
		}
	}
	head, ok := checkCheckpoint(files["log/checkpoint"], "", a, r)
	if !ok {
		return
	}
	if head.origin != m.Origin || head.size != m.Size {
		r.fail("checkpoint.origin", "the checkpoint is of %s at %d entries", head.origin, head.size)
		return
	}
	checkCosigners(head, a, r)
	verifyRange(m, files, head, a, r)
	verifyLeaf(files, head, a, r)
}

func unpack(data []byte) (m manifest, files map[string][]byte, err error) {
	archive, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return m, nil, err
	}
	files = map[string][]byte{}
	for _, one := range archive.File {
		if _, twice := files[one.Name]; twice || one.Method != zip.Store {
			return m, nil, fmt.Errorf("%s occurs twice or is compressed", one.Name)
		}
		reader, err := one.Open()
		if err != nil {
			return m, nil, err
		}
		raw, err := io.ReadAll(reader)
		if err != nil {
			return m, nil, err
		}
		files[one.Name] = raw
	}
	if again := pack(archive.File, files); !bytes.Equal(again, data) {
		return m, nil, fmt.Errorf("the ZIP file is not in its one form")
	}
	if _, err := parseCanonical(files["bundle.json"]); err != nil {
		return m, nil, fmt.Errorf("bundle.json: %w", err)
	}
	if err := json.Unmarshal(files["bundle.json"], &m); err != nil {
		return m, nil, err
	}
	if m.Format != "sandbox-monitor/bundle/1" || m.Start < 0 || m.Start >= m.End || m.End > m.Size {
		return m, nil, fmt.Errorf("bundle.json: format or range")
	}
	for name, raw := range files {
		digest := sha256.Sum256(raw)
		if name != "bundle.json" && m.Files[name] != hex.EncodeToString(digest[:]) {
			return m, nil, fmt.Errorf("%s does not have the digest that is listed", name)
		}
		if !slices.Contains(places, name) && !strings.HasPrefix(name, "policy/") {
			return m, nil, fmt.Errorf("%s has no place in a bundle", name)
		}
	}
	for _, name := range places[:4] {
		if m.Files[name] == "" {
			return m, nil, fmt.Errorf("%s is not listed", name)
		}
	}
	return m, files, nil
}

// pack writes a ZIP file byte by byte as the layout says, in the order of the names given, which must be the right one.
func pack(order []*zip.File, files map[string][]byte) []byte {
	var out, directory bytes.Buffer
	le := binary.LittleEndian
	for at, one := range order {
		if at == 0 && one.Name != "bundle.json" || at > 1 && order[at-1].Name >= one.Name {
			return nil
		}
		raw, start := files[one.Name], uint32(out.Len())
		common := le.AppendUint16(nil, 20) // version needed
		common = le.AppendUint16(common, 0)
		common = le.AppendUint16(common, 0)
		common = le.AppendUint16(common, 0)      // 00:00:00
		common = le.AppendUint16(common, 1<<5|1) // 1980-01-01
		common = le.AppendUint32(common, one.CRC32)
		common = le.AppendUint32(common, uint32(len(raw)))
		common = le.AppendUint32(common, uint32(len(raw)))
		common = le.AppendUint16(common, uint16(len(one.Name)))
		common = le.AppendUint16(common, 0)
		out.WriteString("PK\x03\x04")
		out.Write(common)
		out.WriteString(one.Name)
		out.Write(raw)
		directory.WriteString("PK\x01\x02\x14\x03") // made by: version 2.0, Unix
		directory.Write(common)
		directory.Write(make([]byte, 6)) // comment, disk, internal attributes
		directory.Write(le.AppendUint32(nil, 0o100644<<16))
		directory.Write(le.AppendUint32(nil, start))
		directory.WriteString(one.Name)
	}
	end := []byte("PK\x05\x06\x00\x00\x00\x00")
	end = le.AppendUint16(end, uint16(len(order)))
	end = le.AppendUint16(end, uint16(len(order)))
	end = le.AppendUint32(end, uint32(directory.Len()))
	end = le.AppendUint32(end, uint32(out.Len()))
	end = le.AppendUint16(end, 0)
	return append(append(out.Bytes(), directory.Bytes()...), end...)
}

func verifyRange(m manifest, files map[string][]byte, head note, a *anchors, r *report) {
	entries, err := splitEntries(files["log/entries"], m.End-m.Start)
	if err != nil || len(files["log/range"])%32 != 0 {
		r.fail("bundle.layout", "log/entries or log/range: %v", err)
		return
	}
	var hashes, leaves []hash
	for raw := files["log/range"]; len(raw) > 0; raw = raw[32:] {
		hashes = append(hashes, hash(raw[:32]))
	}
	for _, raw := range entries {
		leaves = append(leaves, leafHash(raw))
	}
	root, fits := rangeRoot(leaves, m.Start, m.Size, hashes)
	if !fits {
		r.fail("bundle.layout", "log/range has another number of hashes")
		return
	}
	if root != head.root {
		r.fail("proof.inclusion", "the entries are not those of the checkpoint")
	}
	texts, err := a.texts, error(nil)
	if raw, here := files["words.jsonl"]; here {
		var more []plaintext
		if more, err = parseTexts(raw); err != nil {
			r.fail("bundle.layout", "words.jsonl: %v", err)
			return
		}
		for _, one := range more {
			if one.Pilot != m.Pilot || one.Salt == "" {
				r.fail("bundle.layout", "words.jsonl: no disclosed text of an entry of %s: %v", m.Pilot, one)
				return
			}
		}
		texts = append(more, texts...)
	}
	f := newFollowed(logName{model: m.Pilot, log: "decisions"}, a, r)
	f.texts = texts
	for at, raw := range entries {
		if !f.take(raw, leaves[at]) {
			return
		}
	}
	f.finish()
	before := frontier{size: m.Start}
	for bit := m.Start; bit > 0; bit &= bit - 1 {
		before.nodes = append(before.nodes, hashes[len(before.nodes)])
	}
	heads := map[int]hash{m.Size: head.root, m.Start: before.root()}
	for _, leaf := range leaves {
		before.push(leaf)
		heads[before.size] = before.root()
	}
	compareEarlier(head.size, heads, func(origin string) bool { return origin == head.origin }, a, r)
}

func splitEntries(raw []byte, count int) ([][]byte, error) {
	var found [][]byte
	for len(raw) >= 2 {
		end := 2 + int(binary.BigEndian.Uint16(raw))
		if end > len(raw) {
			break
		}
		found = append(found, raw[2:end])
		raw = raw[end:]
	}
	if len(raw) != 0 || len(found) != count {
		return nil, fmt.Errorf("%d entries instead of %d", len(found), count)
	}
	return found, nil
}

func verifyLeaf(files map[string][]byte, head note, a *anchors, r *report) {
	index, path, signed, err := parseProof(files["authority/leaf.tlog-proof"])
	if err != nil {
		r.fail("authority.contains", "%v", err)
		return
	}
	top, ok := checkCheckpoint(signed, "authority", a, r)
	if !ok {
		return
	}
	if base(top.origin) != base(head.origin) {
		r.fail("checkpoint.origin", "%s is not the authority log of %s", top.origin, head.origin)
		return
	}
	checkCosigners(top, a, r)
	leaf, _ := canonical(map[string]any{
		"origin": head.origin, "root": base64.StdEncoding.EncodeToString(head.root[:]),
		"size": json.Number(strconv.Itoa(head.size)),
	})
	if root, fits := inclusionRoot(leafHash(leaf), index, top.size, path); !fits || root != top.root {
		r.fail("authority.contains", "the checkpoint of this log is not in the authority log")
	}
	compareEarlier(top.size, map[int]hash{top.size: top.root}, func(origin string) bool { return origin == top.origin }, a, r)
	checkStamp(files, top, a, r)
}

func parseProof(data []byte) (index int, path []hash, signed []byte, err error) {
	before, signed, ok := bytes.Cut(data, []byte("\n\n"))
	lines := strings.Split(string(before), "\n")
	if !ok || len(lines) < 2 || lines[0] != "c2sp.org/tlog-proof@v1" {
		return 0, nil, nil, fmt.Errorf("no tlog-proof")
	}
	lines = lines[1:]
	if strings.HasPrefix(lines[0], "extra ") {
		lines = lines[1:]
	}
	if len(lines) == 0 || !strings.HasPrefix(lines[0], "index ") {
		return 0, nil, nil, fmt.Errorf("no index")
	}
	if index, err = strconv.Atoi(strings.TrimPrefix(lines[0], "index ")); err != nil {
		return 0, nil, nil, err
	}
	for _, line := range lines[1:] {
		raw, err := base64.StdEncoding.Strict().DecodeString(line)
		if err != nil || len(raw) != 32 {
			return 0, nil, nil, fmt.Errorf("no hash: %s", line)
		}
		path = append(path, hash(raw))
	}
	return index, path, signed, nil
}

// checkStamp looks for the time stamp of the authority checkpoint, and for its signers in the revocation lists. The
// signature of the token itself is left to the first implementation: the standard library cannot parse it.
func checkStamp(files map[string][]byte, top note, a *anchors, r *report) {
	if a.stampRoots == nil {
		return
	}
	stamped, err := parseNote(files["authority/stamp/checkpoint"])
	if err != nil || files["authority/stamp/token.tsr"] == nil {
		r.fail("stamp.present", "the checkpoint has no time stamp")
		return
	}
	if stamped.origin != top.origin || stamped.size != top.size || stamped.root != top.root {
		r.fail("stamp.signature", "the stamp is on another checkpoint")
	}
	chain := certificates(append(files["authority/stamp/chain.pem"], a.stampRoots...))
	for block, rest := pem.Decode(files["authority/stamp/revocation.pem"]); block != nil; block, rest = pem.Decode(rest) {
		list, err := x509.ParseRevocationList(block.Bytes)
		if err != nil {
			continue
		}
		for _, issuer := range chain {
			if list.CheckSignatureFrom(issuer) != nil {
				continue
			}
			for _, revoked := range list.RevokedCertificateEntries {
				for _, one := range chain {
					if bytes.Equal(one.RawIssuer, issuer.RawSubject) && one.SerialNumber.Cmp(revoked.SerialNumber) == 0 {
						r.fail("stamp.revocation", "%s was revoked", one.Subject)
					}
				}
			}
		}
	}
}

func certificates(raw []byte) []*x509.Certificate {
	var found []*x509.Certificate
	for block, rest := pem.Decode(raw); block != nil; block, rest = pem.Decode(rest) {
		if one, err := x509.ParseCertificate(block.Bytes); err == nil {
			found = append(found, one)
		}
	}
	return found
}
