package main

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"strings"
)

const frameHead, longest, indexRecord = 40, 0xffff, 44

type logName struct {
	model, log string
	year       int
}

type indexed struct {
	end  uint64
	leaf [32]byte
}

// verifyLedger checks a ledger file and its index; returns its name and number of entries.
func verifyLedger(path string, data []byte, a *anchors, r *report) (logName, int) {
	name, at, ok := parseHeader(data)
	if !ok {
		r.fail("ledger.header", "%s: this is no ledger, or its header does not match its checksum", path)
		return name, 0
	}
	index, err := readIndex(strings.TrimSuffix(path, ".ledger") + ".index")
	if err != nil {
		r.fail("ledger.index", "%v", err)
		return name, 0
	}
	f := newFollowed(name, a, r)
	f.fromFile = true
	log := strings.TrimSuffix(filepath.Base(path), ".ledger")
	f.sizesOf(func(origin string) bool { return lastPart(origin) == log })
	for number := 0; at < len(data); number++ {
		if at+8 <= len(data) {
			length := binary.BigEndian.Uint32(data[at:])
			if binary.BigEndian.Uint32(data[at+4:]) != lengthCheck(number, length) || length > longest {
				r.fail("ledger.frames", "%s:%d: the length does not match its checksum", path, number)
				return name, number
			}
			if end := at + frameHead + int(length); at+frameHead <= len(data) && end <= len(data) {
				entry := data[at+frameHead : end]
				leaf := leafHash(entry)
				if !bytes.Equal(leaf[:], data[at+8:at+frameHead]) {
					r.fail("ledger.leaf-hash", "%s:%d: the entry does not match its leaf hash", path, number)
					return name, number
				}
				if number < len(index) && (index[number].end != uint64(end) || index[number].leaf != leaf) {
					r.fail("ledger.index", "%s:%d: another entry was acknowledged here", path, number)
					return name, number
				}
				if !f.take(entry, leaf) {
					return name, number
				}
				at = end
				continue
			}
		}
		break // the beginning of an entry that was never acknowledged
	}
	if f.size < len(index) {
		r.fail("ledger.acknowledged", "%s: %d entries were acknowledged, %d are here", path, len(index), f.size)
		return name, f.size
	}
	f.finish()
	f.compareEarlier(func(origin string) bool { return lastPart(origin) == log })
	return name, f.size
}

func parseHeader(data []byte) (logName, int, bool) {
	name := logName{log: "decisions"}
	if len(data) < 10 || !bytes.HasPrefix(data, []byte("SBXLEDG")) || (data[7] != 1 && data[7] != 2) {
		return name, 0, false
	}
	at := 8
	text := func() (string, bool) {
		if at+2 > len(data) {
			return "", false
		}
		end := at + 2 + int(binary.BigEndian.Uint16(data[at:]))
		if end > len(data) {
			return "", false
		}
		found := string(data[at+2 : end])
		at = end
		return found, true
	}
	var ok bool
	if name.model, ok = text(); !ok {
		return name, 0, false
	}
	if data[7] == 2 {
		if name.log, ok = text(); !ok || at+2 > len(data) {
			return name, 0, false
		}
		name.year = int(binary.BigEndian.Uint16(data[at:]))
		at += 2
	}
	if at+4 > len(data) || crc32.ChecksumIEEE(data[:at]) != binary.BigEndian.Uint32(data[at:]) {
		return name, 0, false
	}
	return name, at + 4, true
}

func lengthCheck(number int, length uint32) uint32 {
	raw := binary.BigEndian.AppendUint64(nil, uint64(number))
	return crc32.ChecksumIEEE(binary.BigEndian.AppendUint32(raw, length))
}

func readIndex(path string) ([]indexed, error) {
	data, err := os.ReadFile(path)
	if os.IsNotExist(err) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	var found []indexed
	for at := 0; at+indexRecord <= len(data); at += indexRecord {
		record := data[at : at+indexRecord]
		if crc32.ChecksumIEEE(record[:40]) != binary.BigEndian.Uint32(record[40:]) {
			if len(bytes.Trim(data[at:], "\x00")) == 0 {
				break
			}
			return nil, fmt.Errorf("%s: record %d does not match its checksum", path, len(found))
		}
		one := indexed{end: binary.BigEndian.Uint64(record)}
		copy(one.leaf[:], record[8:])
		found = append(found, one)
	}
	return found, nil
}

func (f *followed) noteRoot() {
	root := f.tree.root()
	text := hex.EncodeToString(root[:])
	if _, wanted := f.a.roots[text]; wanted {
		f.a.roots[text] = true
	}
}
