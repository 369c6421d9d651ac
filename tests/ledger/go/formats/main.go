// Command formats does what a foreign implementation does with our files: github.com/transparency-dev/formats (notes,
// checkpoints, cosignatures, proofs, policies), transparency-dev/merkle and golang.org/x/mod/sumdb/tlog (trees, tiles).
//
// It reads one JSON object per line on stdin and answers each with one on stdout: {"ok": bool, "error": text, ...}.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"strings"

	f_log "github.com/transparency-dev/formats/log"
	f_note "github.com/transparency-dev/formats/note"
	f_proof "github.com/transparency-dev/formats/proof"
	"github.com/transparency-dev/formats/witness"
	m_proof "github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

type request struct {
	Op        string   `json:"op"`
	Note      string   `json:"note"`
	Origin    string   `json:"origin"`
	Log       string   `json:"log"`
	Vkeys     []string `json:"vkeys"`
	Skey      string   `json:"skey"`
	Cosigners []string `json:"cosigners"`
	Size      uint64   `json:"size"`
	OldSize   uint64   `json:"old_size"`
	Root      []byte   `json:"root"`
	OldRoot   []byte   `json:"old_root"`
	Leaf      []byte   `json:"leaf"`
	Index     uint64   `json:"index"`
	Hashes    [][]byte `json:"hashes"`
	Data      string   `json:"data"`
	Extra     []byte   `json:"extra"`
	Level     int      `json:"level"`
	Width     int      `json:"width"`
}

type answer map[string]any

func main() {
	in := bufio.NewScanner(os.Stdin)
	in.Buffer(nil, 64<<20)
	out := json.NewEncoder(os.Stdout)
	for in.Scan() {
		var r request
		a, err := answer(nil), json.Unmarshal(in.Bytes(), &r)
		if err == nil {
			a, err = do(r)
		}
		if a == nil {
			a = answer{}
		}
		a["ok"] = err == nil
		if err != nil {
			a["error"] = err.Error()
		}
		if err := out.Encode(a); err != nil {
			panic(err)
		}
	}
	if err := in.Err(); err != nil {
		panic(err)
	}
}

func do(r request) (answer, error) {
	switch r.Op {
	case "note":
		return openNote(r)
	case "checkpoint":
		return parseCheckpoint(r)
	case "sign":
		return sign(r)
	case "generate":
		skey, vkey, err := f_note.GenerateMLDSAKey(r.Origin)
		return answer{"skey": skey, "vkey": vkey}, err
	case "proof":
		return parseProof(r)
	case "make_proof":
		p := f_proof.TLogProof{Index: r.Index, Checkpoint: []byte(r.Note), ExtraData: r.Extra}
		for _, h := range r.Hashes {
			p.Hashes = append(p.Hashes, [32]byte(h))
		}
		return answer{"data": string(p.Marshal())}, nil
	case "policy":
		return policy(r)
	case "inclusion":
		return nil, m_proof.VerifyInclusion(rfc6962.DefaultHasher, r.Index, r.Size, r.Leaf, r.Hashes, r.Root)
	case "consistency":
		return nil, m_proof.VerifyConsistency(rfc6962.DefaultHasher, r.OldSize, r.Size, r.Hashes, r.OldRoot, r.Root)
	case "prove":
		return prove(r)
	case "tile":
		path := tlog.Tile{H: 8, L: r.Level, N: int64(r.Index), W: r.Width}.Path()
		if r.Level < 0 {
			return answer{"path": "tile/entries/" + strings.TrimPrefix(path, "tile/8/data/")}, nil
		}
		return answer{"path": "tile/" + strings.TrimPrefix(path, "tile/8/")}, nil
	}
	return nil, fmt.Errorf("unknown op %q", r.Op)
}

func verifiers(vkeys []string) ([]note.Verifier, error) {
	var all []note.Verifier
	for _, k := range vkeys {
		v, err := f_note.NewVerifier(k)
		if err != nil {
			return nil, err
		}
		all = append(all, v)
	}
	return all, nil
}

func openNote(r request) (answer, error) {
	vs, err := verifiers(r.Vkeys)
	if err != nil {
		return nil, err
	}
	n, err := note.Open([]byte(r.Note), note.VerifierList(vs...))
	if err != nil {
		return nil, err
	}
	names := []string{}
	for _, s := range n.Sigs {
		names = append(names, fmt.Sprintf("%s+%08x", s.Name, s.Hash))
	}
	return answer{"text": n.Text, "verified": names, "unverified": len(n.UnverifiedSigs)}, nil
}

func parseCheckpoint(r request) (answer, error) {
	vs, err := verifiers(append([]string{r.Log}, r.Vkeys...))
	if err != nil {
		return nil, err
	}
	cp, rest, n, err := f_log.ParseCheckpoint([]byte(r.Note), r.Origin, vs[0], vs[1:]...)
	if err != nil {
		return nil, err
	}
	times := []int64{}
	for _, s := range n.Sigs {
		if t, err := f_note.CoSigV1Timestamp(s); err == nil {
			times = append(times, t.Unix())
		}
	}
	return answer{
		"origin": cp.Origin, "size": cp.Size, "root": cp.Hash, "rest": string(rest),
		"signatures": len(n.Sigs), "times": times,
	}, nil
}

func sign(r request) (answer, error) {
	cp := f_log.Checkpoint{Origin: r.Origin, Size: r.Size, Hash: r.Root}
	s, err := note.NewSigner(r.Skey)
	if err != nil {
		return nil, err
	}
	all := []note.Signer{s}
	for _, k := range r.Cosigners {
		c, err := f_note.NewSignerForCosignatureV1(k)
		if err != nil {
			return nil, err
		}
		all = append(all, c)
	}
	signed, err := note.Sign(&note.Note{Text: string(cp.Marshal())}, all...)
	return answer{"note": string(signed)}, err
}

func parseProof(r request) (answer, error) {
	var p f_proof.TLogProof
	if err := p.Unmarshal([]byte(r.Data)); err != nil {
		return nil, err
	}
	v, err := f_note.NewVerifier(r.Log)
	if err != nil {
		return nil, err
	}
	cp, _, _, err := f_log.ParseCheckpoint(p.Checkpoint, r.Origin, v)
	if err != nil {
		return nil, err
	}
	var hashes [][]byte
	for _, h := range p.Hashes {
		hashes = append(hashes, h[:])
	}
	err = m_proof.VerifyInclusion(rfc6962.DefaultHasher, p.Index, cp.Size, r.Leaf, hashes, cp.Hash)
	return answer{"index": p.Index, "extra": p.ExtraData, "data": string(p.Marshal())}, err
}

func policy(r request) (answer, error) {
	g, err := witness.ParsePolicy([]byte(r.Data))
	if err != nil {
		return nil, err
	}
	urls := map[string]string{}
	for u, v := range g.Endpoints() {
		urls[u] = fmt.Sprintf("%s+%08x", v.Name(), v.KeyHash())
	}
	return answer{"satisfied": g.Satisfied([]byte(r.Note)), "urls": urls}, nil
}

// prove builds the tree of `size` leaves "0", "1", ... and gives both proofs and both roots.
func prove(r request) (answer, error) {
	var stored []tlog.Hash
	reader := tlog.HashReaderFunc(func(at []int64) ([]tlog.Hash, error) {
		found := make([]tlog.Hash, len(at))
		for i, n := range at {
			found[i] = stored[n]
		}
		return found, nil
	})
	for i := int64(0); i < int64(r.Size); i++ {
		hs, err := tlog.StoredHashes(i, fmt.Appendf(nil, "%d", i), reader)
		if err != nil {
			return nil, err
		}
		stored = append(stored, hs...)
	}
	n, m := int64(r.Size), int64(r.OldSize)
	root, err := tlog.TreeHash(n, reader)
	if err != nil {
		return nil, err
	}
	oldRoot, err := tlog.TreeHash(m, reader)
	if err != nil {
		return nil, err
	}
	record, err := tlog.ProveRecord(n, int64(r.Index), reader)
	if err != nil {
		return nil, err
	}
	tree, err := tlog.ProveTree(n, m, reader)
	if err != nil {
		return nil, err
	}
	return answer{"root": root[:], "old_root": oldRoot[:], "inclusion": flat(record), "consistency": flat(tree)}, nil
}

func flat(hashes []tlog.Hash) [][]byte {
	all := [][]byte{}
	for _, h := range hashes {
		all = append(all, h[:])
	}
	return all
}
