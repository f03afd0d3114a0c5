package waf

import (
	"bytes"
	"io"
	"strings"

	"github.com/corazawaf/coraza/v3/experimental/plugins/plugintypes"
	"github.com/corazawaf/coraza/v3/types"
)

// Our own rule for bodies of forms that different readers read differently. Coraza skips what stands before the
// first boundary and behind the last one, and decides itself which of two names of a file counts; a server
// behind us may decide otherwise.
const (
	multipartRule    = 100010
	multipartMessage = "multipart body is not strict"
	multipartType    = "multipart/form-data"
	maxPartHead      = 16 << 10
)

// multipartFlaw says what is not strict in the body of a form; empty for all other requests.
func (r *Request) multipartFlaw() string {
	value, types, forms := "", 0, 0
	for _, h := range r.Headers {
		if !strings.EqualFold(h.Name, "content-type") {
			continue
		}
		types++
		if len(h.Value) >= len(multipartType) && strings.EqualFold(h.Value[:len(multipartType)], multipartType) {
			value = h.Value
			forms++
		}
	}
	if forms == 0 || len(r.Body) == 0 {
		return ""
	}
	if types > 1 {
		return "more than one content-type"
	}
	boundary, ok := boundaryOf(value[len(multipartType):])
	if !ok {
		return "boundary parameter missing, doubled or malformed"
	}
	_, cut := r.gpFlags()
	return bodyFlaw(r.Body, boundary, cut)
}

// unreadForm says why the engine has stopped in the middle of a cut form. Its own rules for that are off there,
// because they cannot tell an end that was cut from something that cannot be read.
func (r *Request) unreadForm(tx types.Transaction) string {
	state, ok := tx.(plugintypes.TransactionState)
	if _, cut := r.gpFlags(); !cut || !ok {
		return ""
	}
	vars := state.Variables()
	if vars.RequestBodyProcessor().Get() != "MULTIPART" {
		return ""
	}
	reason := vars.RequestBodyProcessorErrorMsg().Get()
	switch reason {
	case "", io.ErrUnexpectedEOF.Error(), "multipart: NextPart: EOF":
		return ""
	}
	if strings.HasPrefix(reason, "malformed MIME header") {
		return "" // half a line; headFlaw has read the whole ones
	}
	return Bound(reason, 64)
}

// gpFlags reads the mode and whether the body was cut from gp.<a>.<b>.<c>.<d>.<B|D>.<W|C>…; 0 and false if the
// id has another form.
func (r *Request) gpFlags() (mode byte, cut bool) {
	rest, ok := strings.CutPrefix(r.ID, "gp.")
	for range 4 {
		if !ok {
			return 0, false
		}
		_, rest, ok = strings.Cut(rest, ".")
	}
	if !ok || len(rest) < 3 || rest[1] != '.' {
		return 0, false
	}
	return rest[0], rest[2] == 'C'
}

// boundaryOf reads the parameters of the content type. RFC 2046: 1 to 70 characters, none of them strange.
func boundaryOf(params string) (string, bool) {
	found, count := "", 0
	ok := eachParam(params, true, func(name, value string, quoted bool) bool {
		if !strings.HasPrefix(name, "boundary") {
			return true
		}
		if count++; name != "boundary" || count > 1 || value == "" || len(value) > 70 || value[len(value)-1] == ' ' {
			return false
		}
		for i := range len(value) {
			c := value[i]
			plain := c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || strings.IndexByte("'+_-.", c) >= 0
			if !plain && (!quoted || strings.IndexByte("(),/:=? ", c) < 0) {
				return false
			}
		}
		found = value
		return true
	})
	return found, ok && count == 1
}

// eachParam reads `; name=value; name="value"` and calls f with the name in lower case and the value as it
// stands. It answers false if something else is found, or when f does. Without escapes, a backslash is a
// character like others.
func eachParam(s string, escapes bool, f func(name, value string, quoted bool) bool) bool {
	for {
		s = strings.TrimLeft(s, " \t")
		if s == "" {
			return true
		}
		if s[0] != ';' {
			return false
		}
		s = strings.TrimLeft(s[1:], " \t")
		if s == "" {
			return true // a semicolon at the end
		}
		i := strings.IndexAny(s, `=;"`)
		if i < 1 || s[i] != '=' || strings.ContainsAny(s[:i], " \t") {
			return false
		}
		name := strings.ToLower(s[:i])
		s = s[i+1:]
		var value string
		quoted := strings.HasPrefix(s, `"`)
		if quoted {
			end := 1
			for end < len(s) && s[end] != '"' {
				if s[end] == '\\' && escapes {
					end++
				}
				end++
			}
			if end >= len(s) {
				return false
			}
			value, s = s[1:end], s[end+1:]
			if i := strings.IndexByte(s, ';'); !escapes {
				s = s[max(0, i):] // an escaped quote read as the end: go on where a lenient server would
			}
		} else {
			end := strings.IndexAny(s, "; \t")
			if end < 0 {
				end = len(s)
			}
			value, s = s[:end], s[end:]
			if escapes && strings.IndexByte(value, '"') >= 0 {
				return false
			}
		}
		if !f(name, value, quoted) {
			return false
		}
	}
}

var (
	crlf     = []byte("\r\n")
	crlfcrlf = []byte("\r\n\r\n")
	dashes   = []byte("--")
)

// bodyFlaw reads the body once. Each `--boundary` that begins a line, however that line is ended, has to be a
// delimiter as the RFC has it. A cut body may end anywhere: what is missing there is no flaw, what is there is
// read as strictly as ever. A body of another kind would else pass unread under the name of a form.
func bodyFlaw(body []byte, boundary string, cut bool) string {
	delimiter := []byte("--" + boundary)
	if cut && bytes.HasPrefix(delimiter, body) {
		return ""
	}
	if !bytes.HasPrefix(body, delimiter) {
		return "text before the first boundary"
	}
	for rest := body[len(delimiter):]; ; {
		if cut && (bytes.HasPrefix(crlf, rest) || bytes.HasPrefix(dashes, rest) || string(rest) == "--\r") {
			return "" // ends within the line of a boundary
		}
		if after, closed := bytes.CutPrefix(rest, dashes); closed {
			if len(after) > 0 && !bytes.Equal(after, crlf) {
				return "text behind the closing boundary"
			}
			return ""
		}
		part, ok := bytes.CutPrefix(rest, crlf)
		if !ok {
			return "boundary line not ended by CRLF"
		}
		end, flaw := nextDelimiter(part, delimiter)
		if flaw != "" {
			return flaw
		}
		if end < 0 && cut {
			return lastPartFlaw(part)
		}
		if end < 0 {
			return "no closing boundary"
		}
		if flaw := partFlaw(part[:end]); flaw != "" {
			return flaw
		}
		rest = part[end+len(crlf)+len(delimiter):]
	}
}

// nextDelimiter finds where CRLF and the delimiter stand; -1 if nowhere.
func nextDelimiter(part, delimiter []byte) (int, string) {
	for from := 0; ; {
		i := bytes.Index(part[from:], delimiter)
		if i < 0 {
			return -1, ""
		}
		i += from
		switch {
		case i >= 2 && part[i-2] == '\r' && part[i-1] == '\n':
			return i - 2, ""
		case i == 0 || part[i-1] == '\n' || part[i-1] == '\r':
			return 0, "boundary not preceded by CRLF"
		}
		from = i + 1 // in the middle of a line it is content
	}
}

func partFlaw(part []byte) string {
	if bytes.HasPrefix(part, crlf) {
		return "" // no headers: an unnamed field
	}
	end := bytes.Index(part, crlfcrlf)
	if end < 0 {
		return "part headers not ended by an empty line"
	}
	return headFlaw(part[:end])
}

// lastPartFlaw reads the part in which a cut body ends: its headers as far as their lines are whole.
func lastPartFlaw(part []byte) string {
	if bytes.HasPrefix(part, crlf) || bytes.Contains(part, crlfcrlf) {
		return partFlaw(part)
	}
	if len(part) > maxPartHead {
		return "part headers too long"
	}
	whole := max(0, bytes.LastIndex(part, crlf))
	if bytes.ContainsAny(bytes.TrimSuffix(bytes.TrimPrefix(part[whole:], crlf), crlf[:1]), "\r\n\x00") {
		return "line of a part header not ended by CRLF"
	}
	return headFlaw(part[:whole])
}

// headFlaw reads whole lines of a part's headers.
func headFlaw(head []byte) string {
	if len(head) > maxPartHead {
		return "part headers too long"
	}
	dispositions := 0
	for len(head) > 0 {
		var line []byte
		line, head, _ = bytes.Cut(head, crlf)
		if bytes.ContainsAny(line, "\r\n\x00") {
			return "line of a part header not ended by CRLF"
		}
		colon := bytes.IndexByte(line, ':')
		if colon < 1 || !plainName(line[:colon]) || bytes.ContainsFunc(line[colon:], isControl) {
			return "malformed part header"
		}
		if !bytes.EqualFold(line[:colon], []byte("content-disposition")) {
			// Nobody has a file name in another header; who looks for one there is not helped.
			if containsFold(line[colon:], "filename*") {
				return "filename*"
			}
			continue
		}
		if dispositions++; dispositions > 1 {
			return "more than one content-disposition"
		}
		if flaw := dispositionFlaw(string(line[colon+1:])); flaw != "" {
			return flaw
		}
	}
	return ""
}

// plainName is what RFC 9110 calls a token. The engine stops reading the form at any other name, and at controls
// in a value.
func plainName(name []byte) bool {
	return !bytes.ContainsFunc(name, func(r rune) bool {
		letter := r|0x20 >= 'a' && r|0x20 <= 'z' || r >= '0' && r <= '9'
		return !letter && (r > 0x7e || !strings.ContainsRune("!#$%&'*+-.^_`|~", r))
	})
}

func isControl(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }

// dispositionFlaw reads the parameters in both ways servers do: with the backslash as an escape, and without,
// as browsers that send C:\path mean it.
func dispositionFlaw(value string) string {
	_, params, has := strings.Cut(value, ";")
	if !has {
		return ""
	}
	params = ";" + params
	flaw := ""
	for _, escapes := range []bool{true, false} {
		var name, filename bool
		ok := eachParam(params, escapes, func(key, _ string, _ bool) bool {
			switch {
			case strings.IndexByte(key, '*') >= 0:
				flaw = key
			case key == "name" && name, key == "filename" && filename:
				flaw = "more than one " + key
			}
			name, filename = name || key == "name", filename || key == "filename"
			return flaw == ""
		})
		if flaw != "" {
			return Bound(flaw, 64)
		}
		if !ok && escapes {
			return "malformed content-disposition"
		}
	}
	return ""
}

func containsFold(s []byte, lower string) bool {
	for i := 0; i+len(lower) <= len(s); i++ {
		if strings.EqualFold(string(s[i:i+len(lower)]), lower) {
			return true
		}
	}
	return false
}
