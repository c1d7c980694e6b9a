//go:build unix

package replace

import (
	"os"
	"sync"
	"syscall"
)

// umask is what the user's files may not allow. It can be read by setting it alone, at the first use.
var umask = sync.OnceValue(func() os.FileMode {
	mask := syscall.Umask(0o077)
	syscall.Umask(mask)
	return os.FileMode(mask)
})

// hold shows that a run that lives is writing f, until f is closed. Where files cannot be locked nothing is
// ever dead.
func hold(f *os.File) { syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) }

// dead says whether nobody holds a name.
func dead(name string) bool {
	f, err := os.Open(name)
	if err != nil {
		return false
	}
	defer f.Close()
	return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil
}
