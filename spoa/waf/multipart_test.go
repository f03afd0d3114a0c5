package waf

import (
	"bytes"
	"context"
	"fmt"
	"mime/multipart"
	"strings"
	"testing"

	"github.com/guard-proxy/guard-proxy/spoa/internal/waftest"
)

// form is a POST of a multipart body.
func form(app, id, contentType, body string) *Request {
	r := get(app, id, "/upload")
	r.Method, r.Body = "POST", []byte(body)
	r.Headers = append(r.Headers, Header{"Content-Type", contentType}, Header{"Content-Length", fmt.Sprint(len(body))})
	return r
}

// lines joins with CRLF.
func lines(l ...string) string { return strings.Join(l, "\r\n") }

func goForm() (contentType, body string) {
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	_ = w.WriteField("a", "text with\r\n--dashes and \n lines")
	f, _ := w.CreateFormFile("file", `quote".txt`)
	_, _ = f.Write(bytes.Repeat([]byte("\x00\r\n-\n--\r\n\r\n"), 500))
	_, _ = w.CreateFormFile("empty", "")
	_ = w.Close()
	return w.FormDataContentType(), b.String()
}

const usualType = "multipart/form-data; boundary=XyZ"

func TestMultipartFlaws(t *testing.T) {
	part := func(head ...string) string { return lines("--XyZ", lines(head...), "", "value", "--XyZ--", "") }
	field := `Content-Disposition: form-data; name="a"`
	fine := part(field)
	goType, goBody := goForm()
	for name, c := range map[string]struct{ contentType, body, flaw string }{
		"one field":         {usualType, fine, ""},
		"Go":                {goType, goBody, ""},
		"without last CRLF": {usualType, strings.TrimSuffix(fine, "\r\n"), ""},
		"no parts":          {usualType, "--XyZ--\r\n", ""},
		"curl": {"multipart/form-data; boundary=------------------------d74496d66958873e", lines("--------------------------d74496d66958873e",
			field, "", "b", "--------------------------d74496d66958873e", `Content-Disposition: form-data; name="f"; filename="a; b.txt"`,
			"Content-Type: text/plain", "", "x", "--------------------------d74496d66958873e--", ""), ""},
		"empty file of a browser": {"multipart/form-data; boundary=----WebKitFormBoundaryA1", lines("------WebKitFormBoundaryA1",
			`Content-Disposition: form-data; name="f"; filename=""`, "Content-Type: application/octet-stream", "", "", "------WebKitFormBoundaryA1--", ""), ""},
		"quoted boundary":        {`Multipart/Form-Data; charset=utf-8; Boundary="X y/Z:1"`, strings.ReplaceAll(fine, "XyZ", "X y/Z:1"), ""},
		"Windows path":           {usualType, part(`Content-Disposition: form-data; name="a"; filename="C:\dir\x.txt"`), ""},
		"escaped quote":          {usualType, part(`Content-Disposition: form-data; name="a"; filename="a\"b.txt"`), ""},
		"UTF-8 name":             {usualType, part(`Content-Disposition: form-data; name="a"; filename="ä.txt"`), ""},
		"boundary within a line": {usualType, lines("--XyZ", field, "", "x--XyZ", "--XyZ--", ""), ""},
		"part without headers":   {usualType, lines("--XyZ", "", "value", "--XyZ--", ""), ""},
		"another type":           {"application/json", "x", ""},
		"preamble":               {usualType, "x\r\n" + fine, "before the first"},
		"empty line before":      {usualType, "\r\n" + fine, "before the first"},
		"epilogue":               {usualType, fine + "x", "behind the closing"},
		"second form":            {usualType, fine + fine, "behind the closing"},
		"two line ends":          {usualType, fine + "\r\n", "behind the closing"},
		"not closed":             {usualType, strings.TrimSuffix(fine, "--XyZ--\r\n"), "no closing"},
		"cut in the boundary":    {usualType, strings.TrimSuffix(fine, "--\r\n"), "not ended by CRLF"},
		"LF only":                {usualType, strings.ReplaceAll(fine, "\r\n", "\n"), "not ended by CRLF"},
		"LF before a boundary":   {usualType, lines("--XyZ", field, "", "a\n--XyZ", field, "", "b", "--XyZ--", ""), "not preceded"},
		"CR before a boundary":   {usualType, lines("--XyZ", field, "", "a\r--XyZ", field, "", "b", "--XyZ--", ""), "not preceded"},
		"LF in the headers":      {usualType, part(field + "\nX: y"), "not ended by CRLF"},
		"longer boundary":        {usualType, lines("--XyZ", field, "", "a", "--XyZ1", field, "", "b", "--XyZ--", ""), "not ended by CRLF"},
		"space behind boundary":  {usualType, strings.Replace(fine, "--XyZ\r", "--XyZ \r", 1), "not ended by CRLF"},
		"no end of headers":      {usualType, lines("--XyZ", field, "--XyZ--", ""), "empty line"},
		"folded":                 {usualType, part("Content-Disposition: form-data;", ` name="a"`), "malformed part"},
		"space before colon":     {usualType, part(`Content-Disposition : form-data; name="a"`), "malformed part"},
		"filename*":              {usualType, part(field + `; filename="a.txt"; FileName*=UTF-8''a.php`), "filename*"},
		"filename*0":             {usualType, part(field + `; filename*0="a.p"; filename*1="hp"`), "filename*"},
		"filename* elsewhere":    {usualType, part(field, `Content-Type: text/plain; filename*=UTF-8''a.php`), "filename*"},
		"two names":              {usualType, part(field + `; name="b"`), "more than one name"},
		"two file names":         {usualType, part(field + `; filename="a.txt"; FILENAME=a.php`), "more than one filename"},
		"hidden by a backslash":  {usualType, part(field + `; filename="a\"; filename=\"b.php"`), "more than one filename"},
		"hidden behind a word":   {usualType, part(field + `; filename="a\"b; filename=c.php"`), "more than one filename"},
		"behind a quote":         {usualType, part(field + `x; filename="b"`), "malformed content-d"},
		"quote left open":        {usualType, part(`Content-Disposition: form-data; name="a`), "malformed content-d"},
		"two dispositions":       {usualType, part(field, field), "more than one content-d"},
		"long headers":           {usualType, part(field, "X: "+strings.Repeat("x", maxPartHead)), "too long"},
		"no boundary":            {"multipart/form-data", fine, "boundary parameter"},
		"empty boundary":         {"multipart/form-data; boundary=", fine, "boundary parameter"},
		"two boundaries":         {usualType + "; boundary=b", fine, "boundary parameter"},
		"boundary*":              {usualType + "; boundary*0=b", fine, "boundary parameter"},
		"comma":                  {"multipart/form-data; boundary=XyZ,b", fine, "boundary parameter"},
		"70":                     {"multipart/form-data; boundary=" + strings.Repeat("b", 70), strings.ReplaceAll(fine, "XyZ", strings.Repeat("b", 70)), ""},
		"71":                     {"multipart/form-data; boundary=" + strings.Repeat("b", 71), strings.ReplaceAll(fine, "XyZ", strings.Repeat("b", 71)), "boundary parameter"},
	} {
		t.Run(name, func(t *testing.T) {
			flaw := form("a", "x", c.contentType, c.body).multipartFlaw()
			if c.flaw == "" && flaw != "" || c.flaw != "" && !strings.Contains(flaw, c.flaw) {
				t.Errorf("%q, want %q", flaw, c.flaw)
			}
		})
	}
	r := form("a", "x", usualType, fine)
	r.Headers = append(r.Headers, Header{"content-type", "text/plain"})
	if r.multipartFlaw() == "" {
		t.Error("two content types")
	}
}

// TestCutForms: only what being cut explains is no flaw.
func TestCutForms(t *testing.T) {
	const field = `Content-Disposition: form-data; name="a"`
	whole := lines("--XyZ", field, "", "value", "--XyZ", field+`; filename="a.txt"`, "Content-Type: text/plain", "", "x\r\n-\r\n--X", "--XyZ--", "")
	cut := func(contentType, body string) string {
		return form("a", waftest.ID("1.1.5.4.B.C-"), contentType, body).multipartFlaw()
	}
	for i := 1; i <= len(whole); i++ {
		if flaw := cut(usualType, whole[:i]); flaw != "" {
			t.Errorf("%q: %s", whole[:i], flaw)
		}
	}
	for name, c := range map[string]struct{ contentType, body, flaw string }{
		"JSON":                       {usualType, `{"q":"1","z":"AAAA`, "before the first"},
		"JSON, no boundary":          {"multipart/form-data", `{"q":"1","z":"AAAA`, "boundary parameter"},
		"two boundaries":             {usualType + "; boundary=b", whole, "boundary parameter"},
		"preamble":                   {usualType, "x\r\n" + whole, "before the first"},
		"epilogue":                   {usualType, whole + "x", "behind the closing"},
		"dashes that are no end":     {usualType, "--XyZ-x", "not ended by CRLF"},
		"LF only":                    {usualType, "--XyZ\n" + field, "not ended by CRLF"},
		"finished part, filename*":   {usualType, lines("--XyZ", field+"; filename*=a", "", "x", "--XyZ"), "filename*"},
		"unfinished part, filename*": {usualType, lines("--XyZ", field+"; filename*=a", "", "x"), "filename*"},
		"unfinished, two names":      {usualType, lines("--XyZ", field+`; name="b"`, "Content-"), "more than one name"},
		"unfinished, LF":             {usualType, lines("--XyZ", field+"\nX: y"), "not ended by CRLF"},
		"unfinished, long headers":   {usualType, lines("--XyZ", "X: "+strings.Repeat("x", maxPartHead)), "too long"},
		"finished, long headers":     {usualType, lines("--XyZ", "X: "+strings.Repeat("x", maxPartHead), "", "x"), "too long"},
		"LF before a boundary":       {usualType, lines("--XyZ", field, "", "a\n--XyZ"), "not preceded"},
	} {
		if flaw := cut(c.contentType, c.body); !strings.Contains(flaw, c.flaw) {
			t.Errorf("%s: %q, want %q", name, flaw, c.flaw)
		}
	}
}

// TestCutFormVerdicts: under the name of a form nothing passes unread, and what is a form is judged as far as it
// was read.
func TestCutFormVerdicts(t *testing.T) {
	e := newTestEngine(t, Limits{}, nil)
	// As Guard Proxy renders it: a cut body has no proper end.
	put(t, e, "app", waftest.Application)
	const field = `Content-Disposition: form-data; name="a"`
	const attack = "1' OR '1'='1' UNION SELECT password FROM users--"
	long := strings.Repeat("A", 200_000)
	upload := func(value string, head ...string) string {
		head = append(head, "", value, "--XyZ", `Content-Disposition: form-data; name="f"; filename="a.txt"`, "Content-Type: text/plain", "", long)
		return lines("--XyZ", lines(head...))
	}
	json := `{"q":"` + attack + `<script>alert(1)</script>","z":"` + long
	for name, c := range map[string]struct {
		contentType, body string
		status, rule      int
	}{
		"upload":                    {usualType, upload("hello", field), 0, 0},
		"cut within the headers":    {usualType, lines(strings.TrimSuffix(upload("hello", field), long)+"x", "--XyZ", "Content-Dis"), 0, 0},
		"cut within a boundary":     {usualType, lines(upload("hello", field), "--XyZ"), 0, 0},
		"attack in the first field": {usualType, upload(attack, field), 403, 949110},
		"attack in an unfinished":   {usualType, lines("--XyZ", field, "", attack+" "+long), 403, 949110},
		"attack without a name":     {usualType, lines("--XyZ", "", attack+" "+long), 403, 949110},
		"JSON":                      {usualType, json, 400, multipartRule},
		"JSON, no boundary":         {"multipart/form-data", json, 400, multipartRule},
		"JSON before a form":        {usualType, json + "\r\n" + upload("hello", field), 400, multipartRule},
		"two boundaries":            {"multipart/form-data; boundary=b; boundary=XyZ", upload(attack, field), 400, multipartRule},
		"header nobody can read":    {usualType, upload(attack, "X(: y", field), 400, multipartRule},
		"control in a header":       {usualType, upload(attack, "X: \x01", field), 400, multipartRule},
	} {
		t.Run(name, func(t *testing.T) {
			v := e.Evaluate(context.Background(), form("app", waftest.ID("1.1.5.4.B.C-"), c.contentType, c.body))
			if v.Status != c.status || v.RuleID != c.rule {
				t.Errorf("%+v", v)
			}
		})
	}
	// What scores, too: the threshold must not decide whether the rest of the form is read.
	for contentType, body := range map[string]string{
		usualType + "; x=1; x=2": upload("hello", field),
		usualType:                upload("\x01", field, "Content-Transfer-Encoding: quoted-printable"),
	} {
		v := e.Evaluate(context.Background(), form("app", waftest.ID("1.1.1000.4.B.C-"), contentType, body))
		if v.Status != 400 || v.RuleID != multipartRule {
			t.Errorf("%s: %+v", contentType, v)
		}
	}
}

func TestMultipartVerdicts(t *testing.T) {
	var last *Event
	e := newTestEngine(t, Limits{}, func(ev *Event) { last = ev })
	put(t, e, "app", waftest.Application)
	put(t, e, "plain", waftest.Tiny("evil", 190000))
	put(t, e, "detects", "SecRuleEngine DetectionOnly\nSecRequestBodyAccess On\n"+`SecAction "id:1,phase:1,pass,nolog"`)
	put(t, e, "off", "SecRuleEngine Off\nSecRequestBodyAccess On\n"+`SecAction "id:1,phase:1,pass,nolog"`)
	goType, goBody := goForm()
	goBody = strings.Replace(goBody, `quote\".txt`, "a.txt", 1) // the Core Rule Set denies quotes
	bad := "hidden\r\n" + goBody
	for name, c := range map[string]struct {
		app, id, body, action string
		reported              bool
	}{
		"strict":          {"app", waftest.ID("1.1.5.4.B.W-"), goBody, "allow", false},
		"not strict":      {"app", waftest.ID("1.1.5.4.B.W-"), bad, "deny", true},
		"detect":          {"app", waftest.ID("1.1.5.4.D.W-"), bad, "allow", true},
		"cut":             {"app", waftest.ID("1.1.5.4.B.C-"), goBody[:strings.Index(goBody, "Content-Type")+10], "allow", false},
		"cut, not strict": {"app", waftest.ID("1.1.5.4.B.C-"), bad, "deny", true},
		"no such id":      {"plain", "x", bad, "deny", true},
		"detect by id":    {"plain", waftest.ID("1.1.5.4.D.W-"), bad, "allow", true},
		"detects by rule": {"detects", "x", bad, "allow", true},
		"off":             {"off", "x", bad, "allow", false},
	} {
		t.Run(name, func(t *testing.T) {
			last = nil
			v := e.Evaluate(context.Background(), form(c.app, c.id, goType, c.body))
			if v.Action != c.action || c.action == "deny" && (v.Status != 400 || v.RuleID != multipartRule) {
				t.Errorf("%+v %+v", v, last)
			}
			if c.reported != (last != nil) {
				t.Fatalf("event %+v", last)
			}
			if !c.reported {
				return
			}
			m := last.Rules[len(last.Rules)-1]
			if m.ID != multipartRule || m.Message != multipartMessage || m.Disruptive != (c.action == "deny") || v.Rules[len(v.Rules)-1] != multipartRule {
				t.Errorf("%+v", last)
			}
			if d := last.Detected; (d != nil) != (c.action == "allow") || d != nil && (d.Status != 400 || d.RuleID != multipartRule) {
				t.Errorf("detected %+v", d)
			}
		})
	}
}

func BenchmarkMultipartFlaw(b *testing.B) {
	contentType, body := goForm()
	r := form("a", "x", contentType, strings.Replace(body, "text with", strings.Repeat("text\r\n", 20000), 1))
	b.SetBytes(int64(len(r.Body)))
	b.ReportAllocs()
	for b.Loop() {
		if r.multipartFlaw() != "" {
			b.Fatal("flaw")
		}
	}
}
