package waf

import (
	"io/fs"
	"path/filepath"
	"strings"
	"sync"

	coreruleset "github.com/corazawaf/coraza-coreruleset/v4"
	"github.com/jcchavezs/mergefs"
	mio "github.com/jcchavezs/mergefs/io"
)

// Options say what a text may refer to.
type Options struct {
	// AllowOSIncludes lets Include name files of the operating system, as stock coraza-spoa does.
	AllowOSIncludes bool
}

// root is the file system the engine sees. Without OS includes it holds nothing but the embedded Core Rule
// Set, so that a hole in our checks still opens no file.
func (o Options) root() fs.FS {
	if o.AllowOSIncludes {
		return mergefs.Merge(coreruleset.FS, mio.OSFS)
	}
	return coreruleset.FS
}

// maxIncludes is the engine's own limit.
const maxIncludes = 100

// sources follows includes the way the engine does, to know which directive stands where.
type sources struct {
	root     fs.FS
	includes int
	order    []directive
	findings []Finding
}

// add appends directives and, behind each Include, what it brings.
func (s *sources) add(list []directive, dir string) {
	for _, d := range list {
		s.order = append(s.order, d)
		if name, opts := d.split(); name == "include" && s.includes < maxIncludes {
			s.includes++
			s.include(opts, dir)
		}
	}
}

func (s *sources) include(path, dir string) {
	files := []string{path}
	glob := strings.Contains(path, "*")
	if glob {
		var err error
		if files, err = fs.Glob(s.root, path); err != nil {
			return // the engine says so itself
		}
	}
	for _, file := range files {
		file = strings.TrimSpace(file)
		if !glob && !strings.HasPrefix(file, "/") {
			file = filepath.Join(dir, file)
		}
		list, findings, err := scanFile(s.root, file)
		if err != nil {
			return
		}
		s.findings = append(s.findings, findings...)
		s.add(list, filepath.Dir(file))
	}
}

type scanned struct {
	list     []directive
	findings []Finding
}

// embedded remembers the embedded rules cut into directives: they are the same for each application.
var embedded sync.Map // string -> scanned

func scanFile(root fs.FS, file string) ([]directive, []Finding, error) {
	cached := strings.HasPrefix(file, "@")
	if cached {
		if v, ok := embedded.Load(file); ok {
			return v.(scanned).list, nil, nil
		}
	}
	text, err := fs.ReadFile(root, file)
	if err != nil {
		return nil, nil, err
	}
	list, findings := scan(file, string(text))
	if cached {
		if _, err := fs.Stat(coreruleset.FS, file); err == nil {
			embedded.Store(file, scanned{list: list})
		}
	}
	return list, findings, nil
}
