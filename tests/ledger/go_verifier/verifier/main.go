// Command verifier is a second implementation of the verifier of ledgers, from the documents of their formats alone:
// monitor/notary/README.md, monitor/verifier/README.md and C2SP. Standard library only.
//
// It verifies ledger files, directories of a notary and bundles, with the flags of `ledger verify`, and prints one line
// of JSON: {"verdict":"verified|failed|no verdict","failed":[ids of checks]}. Exit codes: 0, 1, 2.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"
)

// anchors is what the reader knows from outside.
type anchors struct {
	logKeys    []key
	witnesses  []key
	policies   []policy
	earlier    []note
	texts      []plaintext
	matched    map[plaintext]bool // texts that match their commitments
	roots      map[string]bool
	stampRoots []byte
	used       *used
}

// report collects the ids of failed checks, and why; unreadable inputs give no verdict.
type report struct {
	failed     map[string]string
	unreadable []string
	met        map[string]bool // earlier checkpoints that were compared, by text
}

func (r *report) fail(check, format string, values ...any) {
	if _, known := r.failed[check]; !known {
		r.failed[check] = fmt.Sprintf(format, values...)
	}
}

func main() {
	r := &report{failed: map[string]string{}, met: map[string]bool{}}
	a := &anchors{roots: map[string]bool{}, matched: map[plaintext]bool{}, used: &used{}}
	inputs, err := parseArguments(os.Args[1:], a, r)
	if err != nil || len(inputs) == 0 {
		fmt.Fprintln(os.Stderr, "verifier:", err)
		os.Exit(2)
	}
	for _, input := range inputs {
		verifyInput(input, a, r)
	}
	for _, text := range a.texts {
		if !a.matched[text] && len(r.failed) == 0 {
			r.fail("text.commitment", "a text that was disclosed is of no ledger: %s of entry %s", text.Field, text.ID)
		}
	}
	for _, one := range a.earlier {
		if !r.met[one.text] && len(r.failed) == 0 {
			r.fail("anchor.checkpoint", "nothing that was given is this log")
		}
	}
	for root, found := range a.roots {
		if !found {
			r.fail("anchor.root", "no ledger here had the root %s", root)
		}
	}
	finish(r)
}

func finish(r *report) {
	verdict, status := "verified", 0
	ids := []string{}
	for id, why := range r.failed {
		ids = append(ids, id)
		fmt.Fprintf(os.Stderr, "%s: %s\n", id, why)
	}
	sort.Strings(ids)
	if len(ids) > 0 {
		verdict, status = "failed", 1
	} else if len(r.unreadable) > 0 {
		verdict, status = "no verdict", 2
		fmt.Fprintln(os.Stderr, strings.Join(r.unreadable, "\n"))
	}
	line, _ := json.Marshal(map[string]any{"verdict": verdict, "failed": ids})
	fmt.Println(string(line))
	os.Exit(status)
}

func parseArguments(arguments []string, a *anchors, r *report) ([]string, error) {
	var inputs []string
	for at := 0; at < len(arguments); at++ {
		flag := arguments[at]
		if flag == "--json" || flag == "--structure" {
			continue
		}
		if !strings.HasPrefix(flag, "--") {
			inputs = append(inputs, flag)
			continue
		}
		if at++; at == len(arguments) {
			return nil, fmt.Errorf("%s needs a value", flag)
		}
		if err := parseFlag(flag, arguments[at], a, r); err != nil {
			return nil, fmt.Errorf("%s: %w", flag, err)
		}
	}
	return inputs, nil
}

func parseFlag(flag, value string, a *anchors, r *report) error {
	var data []byte
	var err error
	if flag != "--log-key" && flag != "--witness-key" && flag != "--root" {
		if data, err = os.ReadFile(value); err != nil {
			return err
		}
	}
	switch flag {
	case "--log-key", "--witness-key":
		k, err := parseKey(value)
		if err != nil {
			return err
		}
		if flag == "--log-key" {
			a.logKeys = append(a.logKeys, k)
		} else {
			a.witnesses = append(a.witnesses, k)
		}
	case "--root":
		a.roots[strings.ToLower(value)] = false
	case "--policy":
		addPolicy(value, data, a, r, true)
	case "--checkpoint":
		if n, ok := checkCheckpoint(data, "", a, r); ok {
			a.earlier = append(a.earlier, n)
		}
	case "--disclosed":
		texts, err := parseTexts(data)
		for _, one := range texts {
			if one.Salt != "" {
				a.texts = append(a.texts, one)
			}
		}
		return err
	case "--stamp-root":
		a.stampRoots = data
	default:
		return fmt.Errorf("unknown flag")
	}
	return nil
}

func verifyInput(path string, a *anchors, r *report) {
	info, err := os.Stat(path)
	if err != nil {
		r.unreadable = append(r.unreadable, err.Error())
		return
	}
	if info.IsDir() {
		verifyDirectory(path, a, r)
		return
	}
	data, err := os.ReadFile(path)
	if err != nil {
		r.unreadable = append(r.unreadable, err.Error())
		return
	}
	if bytes.HasPrefix(data, []byte("PK")) {
		verifyBundle(data, a, r)
		return
	}
	verifyLedger(path, data, a, r)
}

func verifyDirectory(path string, a *anchors, r *report) {
	files, _ := filepath.Glob(filepath.Join(path, "*.ledger"))
	if len(files) == 0 {
		r.unreadable = append(r.unreadable, path+": there is no ledger in this directory")
		return
	}
	sizes := map[string]int{}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			r.unreadable = append(r.unreadable, err.Error())
			continue
		}
		if name, size := verifyLedger(file, data, a, r); name.log == "decisions" && name.year == 0 {
			sizes[name.model] = size
		}
	}
	raw, err := os.ReadFile(filepath.Join(path, "cursor.json"))
	if err != nil || len(r.failed) > 0 {
		return
	}
	var cursor struct{ Entries map[string]int }
	if json.Unmarshal(raw, &cursor) == nil {
		for model, known := range cursor.Entries {
			if sizes[model] < known {
				r.fail("directory.cursor", "the ledger of %s holds %d entries, the cursor knows %d", model, sizes[model], known)
			}
		}
	}
}
