package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

const (
	decisionType = 1 + iota
	actType
	commandType
	charterType
	evidenceType
	shardType
)

type entry struct {
	version, kind       byte
	id, pilot           string
	at, standing, epoch uint64
	body                []byte
	record              map[string]any
}

// track is the first type of those that share one order of standings and epochs.
func (e entry) track() byte {
	switch {
	case e.kind <= actType:
		return decisionType
	case e.kind == commandType:
		return commandType
	}
	return charterType
}

func (e entry) numbered() bool { return e.kind <= actType }

func (e entry) text(field string) string { text, _ := e.record[field].(string); return text }

func decode(raw []byte) (e entry, err error) {
	if len(raw) < 2 || raw[0] < 1 || raw[0] > 3 || raw[1] < 1 || raw[1] > shardType || (raw[0] == 3) != (raw[1] >= charterType) {
		return e, fmt.Errorf("version or type is not known")
	}
	e.version, e.kind = raw[0], raw[1]
	at := 2
	part := func() []byte {
		if err != nil || at+2 > len(raw) {
			err = fmt.Errorf("ends inside a length")
			return nil
		}
		end := at + 2 + int(binary.BigEndian.Uint16(raw[at:]))
		if end > len(raw) {
			err = fmt.Errorf("ends inside a part")
			return nil
		}
		found := raw[at+2 : end]
		at = end
		return found
	}
	e.id, e.pilot = string(part()), string(part())
	if err == nil && at+24 > len(raw) {
		err = fmt.Errorf("ends inside the numbers")
	}
	if err != nil {
		return e, err
	}
	e.at, e.standing, e.epoch = binary.BigEndian.Uint64(raw[at:]), binary.BigEndian.Uint64(raw[at+8:]), binary.BigEndian.Uint64(raw[at+16:])
	at += 24
	e.body = part()
	if err == nil && (at != len(raw) || !utf8.ValidString(e.id) || !utf8.ValidString(e.pilot)) {
		err = fmt.Errorf("bytes after the body, or a text that is not UTF-8")
	}
	return e, err
}

// checkBody parses the body and compares it with the fields before it.
func (e *entry) checkBody() error {
	record, err := parseCanonical(e.body)
	if err != nil {
		return err
	}
	e.record = record
	for name, number := range map[string]uint64{"at": e.at, "standing": e.standing, "epoch": e.epoch} {
		if said, _ := record[name].(json.Number); said.String() != strconv.FormatUint(number, 10) {
			return fmt.Errorf("body says %s %v, the entry %d", name, record[name], number)
		}
	}
	if e.text("id") != e.id || e.text("pilot") != e.pilot || e.kind != kindOf(record) {
		return fmt.Errorf("id, pilot or type of the body are not those of the entry")
	}
	if e.version == 2 {
		for _, field := range []string{"author", "finding.detail"} {
			if _, ok := committed(get(record, field)); !ok {
				return fmt.Errorf("%s must hold a commitment", field)
			}
		}
	}
	return nil
}

func kindOf(record map[string]any) byte {
	if _, command := record["action"]; command {
		return commandType
	}
	switch record["kind"] {
	case "act":
		return actType
	case "charter":
		return charterType
	case "evidence":
		return evidenceType
	case "shard":
		return shardType
	}
	return decisionType
}

func get(record map[string]any, field string) any {
	if rest, ok := strings.CutPrefix(field, "withheld."); ok {
		inner, _ := record["withheld"].(map[string]any)
		return inner[rest]
	}
	parts := strings.Split(field, ".")
	for _, name := range parts[:len(parts)-1] {
		record, _ = record[name].(map[string]any)
	}
	return record[parts[len(parts)-1]]
}

func committed(value any) (string, bool) {
	if value == "" {
		return "", true
	}
	object, ok := value.(map[string]any)
	if !ok || len(object) != 1 {
		return "", false
	}
	text, ok := object["commitment"].(string)
	raw, err := hex.DecodeString(text)
	return text, ok && err == nil && len(raw) == 32 && text == hex.EncodeToString(raw)
}

type plaintext struct{ Field, ID, Pilot, Salt, Text string }

func parseTexts(data []byte) ([]plaintext, error) {
	var found []plaintext
	if len(data) == 0 {
		return nil, nil
	}
	for _, line := range strings.Split(strings.TrimSuffix(string(data), "\n"), "\n") {
		var one plaintext
		if err := json.Unmarshal([]byte(line), &one); err != nil {
			return nil, err
		}
		found = append(found, one)
	}
	return found, nil
}

func (p plaintext) commitment() string {
	salt, err := hex.DecodeString(p.Salt)
	if err != nil || len(salt) != 32 {
		return "no salt"
	}
	raw := append([]byte{2}, salt...)
	raw = append(binary.BigEndian.AppendUint16(raw, uint16(len(p.Field))), p.Field...)
	raw = append(binary.BigEndian.AppendUint32(raw, uint32(len(p.Text))), p.Text...)
	digest := sha256.Sum256(raw)
	return hex.EncodeToString(digest[:])
}

// followed is one log while it is read.
type followed struct {
	a         *anchors
	r         *report
	name      logName
	tree      frontier
	size      int
	heads     map[int]hash
	wanted    map[int]bool
	ids       map[string]bool
	standing  map[byte]uint64
	epochs    map[byte]uint64
	seen      map[byte]bool
	before    *entry
	committed bool
	texts     []plaintext
	shown     map[string]bool
	decided   map[string]string
	parts     []map[string]any
	open      *openRecord
	fromFile  bool
}

func newFollowed(name logName, a *anchors, r *report) *followed {
	f := &followed{
		a: a, r: r, name: name, heads: map[int]hash{}, wanted: map[int]bool{}, ids: map[string]bool{},
		standing: map[byte]uint64{}, epochs: map[byte]uint64{}, seen: map[byte]bool{}, shown: map[string]bool{},
		decided: map[string]string{}, texts: a.texts,
	}
	f.noteRoot()
	return f
}

func (f *followed) sizesOf(mine func(origin string) bool) {
	for _, one := range f.a.earlier {
		if mine(one.origin) {
			f.wanted[one.size] = true
		}
	}
}

func (f *followed) take(raw []byte, leaf hash) bool {
	e, err := decode(raw)
	if err != nil {
		f.r.fail("entry.encoding", "entry %d: %v", f.size, err)
		return false
	}
	if err := e.checkBody(); err != nil {
		f.r.fail("entry.body", "entry %d: %v", f.size, err)
		return false
	}
	check, why := f.broken(e)
	if check == "" {
		check, why = f.misplaced(e)
	}
	if check != "" {
		f.r.fail(check, "entry %d: %s", f.size, why)
		return false
	}
	track := e.track()
	f.ids[e.id], f.standing[track], f.epochs[track], f.seen[track] = true, e.standing, e.epoch, true
	f.committed = f.committed || e.version > 1
	if e.numbered() {
		f.before = &e
	}
	f.disclose(e)
	if !f.charter(e) {
		return false
	}
	f.tree.push(leaf)
	f.size++
	if f.wanted[f.size] {
		f.heads[f.size] = f.tree.root()
	}
	f.noteRoot()
	return true
}

func (f *followed) broken(e entry) (string, string) {
	track := e.track()
	last, seen := f.standing[track], f.seen[track]
	switch {
	case e.pilot != f.name.model:
		return "entry.pilot", "it is about " + e.pilot
	case f.ids[e.id]:
		return "entry.id", "its id occurs twice"
	case seen && (e.standing < last || (e.standing == last && e.numbered())):
		return "entry.standing", fmt.Sprintf("standing %d after %d", e.standing, last)
	case e.numbered() && seen && e.text("charter") != "" && int(e.standing-last-1) > f.mayBeLost():
		return "entry.gap", fmt.Sprintf("standing %d after %d", e.standing, last)
	case seen && e.epoch < f.epochs[track]:
		return "entry.epoch", "its epoch is lower than the one before"
	case e.version == 1 && f.committed && e.numbered() && bytes.Contains(e.body, []byte(`"cause":"control:`)):
		return "entry.version", "an act in format version 1 after a later version"
	}
	return "", ""
}

// misplaced says which rule the place of an entry of version 3 breaks: each type in its log, the parts of a record
// together and in order.
func (f *followed) misplaced(e entry) (string, string) {
	first := f.size == 0
	if e.kind == shardType {
		log, _ := e.record["log"].(string)
		year, _ := e.record["year"].(json.Number)
		if !first || (f.fromFile && (log != f.name.log || year.String() != strconv.Itoa(f.name.year))) {
			return "entry.log", "the beginning of a shard stands elsewhere"
		}
		f.name.log = log
	} else {
		found := "decisions"
		if e.kind == evidenceType {
			found = "evidence"
		}
		if first && !f.fromFile {
			f.name.log = found
		}
		if found != f.name.log || (first && f.fromFile && f.name.year != 0) {
			return "entry.log", "its log is another one, or the beginning of the shard is missing"
		}
	}
	expected := f.open
	f.open = nil
	if e.kind < charterType {
		if expected != nil {
			return "entry.parts", "a part of a record is missing before it"
		}
		return "", ""
	}
	part, _ := strconv.Atoi(fmt.Sprint(e.record["part"]))
	parts, _ := strconv.Atoi(fmt.Sprint(e.record["parts"]))
	whole := strings.TrimSuffix(e.id, "/"+strconv.Itoa(part))
	if part == 1 {
		whole = e.id
	}
	if expected == nil {
		expected = &openRecord{whole, 1, parts}
	}
	if *expected != (openRecord{whole, part, parts}) {
		return "entry.parts", "its part is not the one that follows"
	}
	if part < parts {
		f.open = &openRecord{whole, part + 1, parts}
	}
	return "", ""
}

// openRecord is a record of several entries: its id, the part that follows, and how many there are.
type openRecord struct {
	id          string
	part, parts int
}

// mayBeLost is how many decisions an older version of the monitor may have dropped after the last one.
func (f *followed) mayBeLost() int {
	if f.before == nil || f.before.text("reason") != "cleared" {
		return 0
	}
	if get(f.before.record, "finding.rule") == "exposure_cap" {
		return 64
	}
	return 1
}

func (f *followed) disclose(e entry) {
	for _, text := range f.texts {
		if text.Pilot != f.name.model || text.ID != e.id {
			continue
		}
		f.shown[text.ID+"\x00"+text.Field] = true
		if expected, ok := committed(get(e.record, text.Field)); !ok || expected == "" || expected != text.commitment() {
			f.r.fail("text.commitment", "%s of entry %s does not match the disclosed text", text.Field, e.id)
		} else {
			f.a.matched[text] = true
		}
	}
}

// charter checks that a charter has the hash that its entry and its decision name, where all of it is known.
func (f *followed) charter(e entry) bool {
	if reason := e.text("reason"); e.numbered() && (reason == "admitted" || reason == "amended") {
		f.decided[e.id] = e.text("charter")
	}
	if e.kind != charterType {
		return true
	}
	f.parts = append(f.parts, e.record)
	if count, _ := f.parts[0]["parts"].(json.Number); count.String() != strconv.Itoa(len(f.parts)) {
		return true
	}
	parts := f.parts
	f.parts = nil
	first := parts[0]
	named, _ := first["charter"].(string)
	decision, _ := first["decision"].(string)
	if decided, known := f.decided[decision]; known && decided != named {
		f.r.fail("charter.hash", "the decision names the charter %s, its entry %s", decided, named)
		return false
	}
	document, _ := first["document"].(map[string]any)
	if document == nil {
		text := ""
		for _, one := range parts {
			part, _ := one["text"].(string)
			text += part
		}
		whole, _ := parseJSON([]byte(text))
		object, _ := whole.(map[string]any)
		document, _ = object["document"].(map[string]any)
	}
	withheld, _ := first["withheld"].(map[string]any)
	identity, _ := first["id"].(string)
	for path := range withheld {
		if !f.restore(document, identity, path) {
			return true // a part is withheld: nothing can be said
		}
	}
	raw, err := canonical(document)
	digest := sha256.Sum256(raw)
	if err != nil || hex.EncodeToString(digest[:]) != named {
		f.r.fail("charter.hash", "the charter has the hash %x, its decision names %s", digest, named)
		return false
	}
	return true
}

// restore puts a withheld part back into a charter, if it was disclosed.
func (f *followed) restore(document map[string]any, identity, path string) bool {
	for _, text := range f.texts {
		if text.ID != identity || text.Field != "withheld."+path {
			continue
		}
		value, err := parseJSON([]byte(text.Text))
		if err != nil {
			return false
		}
		var place any = document
		names := strings.Split(path, ".")
		for _, name := range names[:len(names)-1] {
			if list, ok := place.([]any); ok {
				at, err := strconv.Atoi(name)
				if err != nil || at >= len(list) {
					return false
				}
				place = list[at]
			} else if object, ok := place.(map[string]any); ok {
				place = object[name]
			}
		}
		object, ok := place.(map[string]any)
		if ok {
			object[names[len(names)-1]] = value
		}
		return ok
	}
	return false
}

func (f *followed) finish() {
	for _, text := range f.texts {
		if text.Pilot == f.name.model && !f.shown[text.ID+"\x00"+text.Field] {
			f.r.fail("text.commitment", "there is no entry %s, of which a text is given", text.ID)
		}
	}
	f.heads[f.size] = f.tree.root()
}

func (f *followed) compareEarlier(mine func(origin string) bool) {
	compareEarlier(f.size, f.heads, mine, f.a, f.r)
}

func compareEarlier(size int, heads map[int]hash, mine func(origin string) bool, a *anchors, r *report) {
	for _, one := range a.earlier {
		if !mine(one.origin) {
			continue
		}
		r.met[one.text] = true
		head, known := heads[one.size]
		if one.size == 0 {
			head, known = (&frontier{}).root(), true
		}
		if size < one.size {
			r.fail("anchor.checkpoint", "it has %d entries, the earlier checkpoint counts %d", size, one.size)
		} else if known && head != one.root {
			r.fail("anchor.checkpoint", "at %d entries it has another root than the earlier checkpoint", one.size)
		}
	}
}
