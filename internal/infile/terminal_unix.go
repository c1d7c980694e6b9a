//go:build unix

package infile

import (
	"io/fs"
	"syscall"
)

// terminal tells terminals, of which somebody types the end, from other devices: Linux has them under a few numbers.
func terminal(info fs.FileInfo) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok || info.Mode()&fs.ModeCharDevice == 0 {
		return false
	}
	major := uint64(stat.Rdev) >> 8 & 0xfff
	return major == 4 || major == 5 || major >= 136 && major <= 143
}
