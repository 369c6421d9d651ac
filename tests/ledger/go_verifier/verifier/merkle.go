package main

import (
	"crypto/sha256"
	"math/bits"
)

type hash = [32]byte

func leafHash(entry []byte) hash { return sha256.Sum256(append([]byte{0}, entry...)) }

func nodeHash(left, right hash) hash {
	return sha256.Sum256(append(append([]byte{1}, left[:]...), right[:]...))
}

// frontier is the tree head of a growing list of leaf hashes: the roots of its perfect subtrees, left to right.
type frontier struct {
	size  int
	nodes []hash
}

func (f *frontier) push(leaf hash) {
	node := leaf
	for size := f.size; size&1 == 1; size >>= 1 {
		node = nodeHash(f.nodes[len(f.nodes)-1], node)
		f.nodes = f.nodes[:len(f.nodes)-1]
	}
	f.nodes = append(f.nodes, node)
	f.size++
}

func (f *frontier) root() hash {
	if len(f.nodes) == 0 {
		return sha256.Sum256(nil)
	}
	root := f.nodes[len(f.nodes)-1]
	for at := len(f.nodes) - 2; at >= 0; at-- {
		root = nodeHash(f.nodes[at], root)
	}
	return root
}

func split(low, high int) int { return low + 1<<(bits.Len(uint(high-low-1))-1) }

// rangeRoot is the root of a tree of `size` leaves of which `leaves` are those from `start` on, and `hashes` the roots
// of the largest subtrees without any of them, left to right. It returns false if their number does not fit.
func rangeRoot(leaves []hash, start, size int, hashes []hash) (hash, bool) {
	end, next, fits := start+len(leaves), 0, true
	var head func(low, high int) hash
	head = func(low, high int) hash {
		if high <= start || low >= end {
			if next == len(hashes) {
				fits = false
				return hash{}
			}
			next++
			return hashes[next-1]
		}
		if high-low == 1 {
			return leaves[low-start]
		}
		middle := split(low, high)
		left := head(low, middle)
		return nodeHash(left, head(middle, high))
	}
	if len(leaves) == 0 || end > size {
		return hash{}, false
	}
	root := head(0, size)
	return root, fits && next == len(hashes)
}

// inclusionRoot is the root that a tree of `size` leaves has if `leaf` is at `index`.
func inclusionRoot(leaf hash, index, size int, path []hash) (hash, bool) {
	if index >= size {
		return hash{}, false
	}
	inner := bits.Len(uint(index ^ (size - 1)))
	if len(path) != inner+bits.OnesCount(uint(index>>inner)) {
		return hash{}, false
	}
	node := leaf
	for level, sibling := range path {
		if level < inner && index>>level&1 == 0 {
			node = nodeHash(node, sibling)
		} else {
			node = nodeHash(sibling, node)
		}
	}
	return node, true
}
