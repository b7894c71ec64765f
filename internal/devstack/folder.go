package devstack

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
)

// folder is where a server keeps everything, and who it belongs to.
type folder struct {
	dir     string
	account *account
	sockets string // folder of the server's socket
}

// openFolder finds the account that the server runs as, and lets it through to
// dir.
func openFolder(dir, owner string) (folder, error) {
	account, err := accountFor(owner)
	if err != nil {
		return folder{}, err
	}
	if err := account.reach(dir); err != nil {
		return folder{}, err
	}
	return folder{dir: dir, account: account, sockets: socketFolder(dir)}, nil
}

// makeFolder leaves the folder to us and lets the server's account through it:
// what root writes there must not be in a folder that others can change.
func makeFolder(dir string) error {
	mode := fs.FileMode(0o700)
	if os.Geteuid() == 0 {
		mode = 0o711
	}
	if err := os.MkdirAll(dir, mode); err != nil {
		return err
	}
	return os.Chmod(dir, mode)
}

// path is that of a file in the folder.
func (f *folder) path(name string) string { return filepath.Join(f.dir, name) }

// socket is the path of the server's socket, if it has that name.
func (f *folder) socket(name string) string { return filepath.Join(f.sockets, name) }

// data is where the server's own files are.
func (f *folder) data() string { return f.path("data") }

// makeSockets makes the folder of the socket, which may have been swept while
// the server was down.
func (f *folder) makeSockets() error {
	if err := f.account.folder(f.sockets); err != nil {
		return fmt.Errorf("socket folder: %w", err)
	}
	return nil
}

// endOld ends a server that outlived its parent, by the file that it wrote its
// process number to, and waits for its end. The file's number may be somebody
// else's by now.
func (f *folder) endOld(ctx context.Context, pidFile string) error {
	data, err := filepath.EvalSymlinks(f.data())
	if err != nil {
		return err
	}
	pid, err := strconv.Atoi(firstLine(pidFile))
	if err != nil || pid <= 0 || pid == os.Getpid() || !runsIn(pid, data) {
		return nil
	}
	return endOrphan(ctx, pid, data)
}

// writePrivate writes a file that only we may read, durably.
func writePrivate(path, text string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Sync(), f.Close())
}
