package waf

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/guard-proxy/guard-proxy/spoa/internal/waftest"
)

const soap = `<?xml version="1.0" encoding="UTF-8"?>
<soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"
  soap:encodingStyle="http://schemas.xmlsoap.org/soap/encoding/">
  <!-- of the web shop -->
  <soap:Header><t:Trace xmlns:t="urn:example:trace" soap:mustUnderstand="1">01234567-89ab-cdef</t:Trace></soap:Header>
  <soap:Body><m:GetPrice xmlns:m="https://www.example.org/prices"><m:Item xsi:type="string">Tom &amp; Jerry, 2 pieces</m:Item>
    <m:Note><![CDATA[delivered on Monday]]></m:Note></m:GetPrice></soap:Body>
</soap:Envelope>
`

const svg = `<?xml version="1.0" standalone="no"?>
<?xml-stylesheet type="text/css" href="style.css"?>
<!DOCTYPE svg>
<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" width="120" height="80" viewBox="0 0 120 80">
  <title>A circle</title><g transform="translate(10,10) scale(1.5)" style="fill:#fff;stroke:none">
  <path d="M 10 10 C 20 20, 40 20, 50 10 Z"/><use xlink:href="#a"/><text x="1" y="2">Hello <tspan font-weight="bold">World</tspan>!</text></g>
</svg>`

func xmlRequest(parameters, body string) *Request {
	return form("app", waftest.ID(parameters), "application/xml", body)
}

func TestXMLVerdicts(t *testing.T) {
	e := newTestEngine(t, Limits{}, nil)
	put(t, e, "app", waftest.Application)
	const whole, cut = "1.1.5.4.B.W-", "1.1.5.4.B.C-"
	const sql = "1' UNION SELECT password FROM users--"
	for name, c := range map[string]struct {
		parameters, body string
		status, rule     int
	}{
		"SOAP":                      {whole, soap, 0, 0},
		"SOAP with a BOM":           {whole, "\ufeff\r\n" + strings.TrimPrefix(soap, `<?xml version="1.0" encoding="UTF-8"?>`), 0, 0},
		"SVG":                       {whole, svg, 0, 0},
		"RSS":                       {whole, `<rss><channel><link>https://www.example.org/news</link><title>News</title></channel></rss>`, 0, 0},
		"parted in a link":          {whole, `<rss><link>1' UN<!-- x -->ION SELECT password FROM users</link></rss>`, 403, 949110},
		"blank":                     {whole, " \r\n", 0, 0},
		"text":                      {whole, "<a>" + sql + "</a>", 403, 949110},
		"SQL in an attribute":       {whole, `<a b="` + sql + `"/>`, 403, 949110},
		"SQL behind a transform":    {whole, `<a b="scale(1) ` + sql + `"/>`, 403, 949110},
		"shell in an attribute":     {whole, `<a b=";cat /etc/passwd"/>`, 403, 949110},
		"script in an attribute":    {whole, `<a b="&lt;script>alert(1)&lt;/script>"/>`, 403, 949110},
		"instruction":               {whole, `<a/><?php system($_GET["x"]);?>`, 403, 949110},
		"instruction called xml":    {whole, `<?xml <script>alert(1)</script>?><a/>`, 403, 949110},
		"comment":                   {whole, "<a><!-- " + sql[:len(sql)-2] + " --></a>", 403, 949110},
		"parted by a section":       {whole, `<a>1' O<![CDATA[R]]> '1'='1</a>`, 403, 949110},
		"parted by a comment":       {whole, `<a>1' UN<!-- x -->ION SEL<!-- y -->ECT password FR<!---->OM users</a>`, 403, 949110},
		"parted by an entity":       {whole, `<a>1' &#79;R '1'='1</a>`, 403, 949110},
		"parted by a child":         {whole, `<a>1' UNI<b/>ON SELECT pass<b>x</b>word FROM users</a>`, 403, 949110},
		"behind a comment":          {whole, `<a>it's "so<!-- x -->` + sql + `</a>`, 403, 949110},
		"outside the root":          {whole, `<a/>` + sql, 403, 949110},
		"external entity":           {whole, `<!DOCTYPE a [<!ENTITY x SYSTEM "file:///srv/x">]><a>&x;</a>`, 400, 200002},
		"entity with SQL":           {whole, `<!DOCTYPE a [<!ENTITY x "` + sql + `">]><a>&x;</a>`, 400, 200002},
		"SYSTEM":                    {whole, `<!DOCTYPE a SYSTEM "x.dtd"><a/>`, 400, 200002},
		"PUBLIC":                    {whole, `<!doctype a PUBLIC "-//x" "x.dtd"><a/>`, 400, 200002},
		"declaration alone":         {whole, `<!ENTITY x "y"><a/>`, 400, 200002},
		"behind the root":           {whole, `<a/><!DOCTYPE a [<!ENTITY x "y">]>`, 400, 200002},
		"JSON":                      {whole, `{"q":"hello"}`, 400, 200002},
		"text before":               {whole, "x<a/>", 400, 200002},
		"UTF-16":                    {whole, "\xff\xfe<\x00a\x00/\x00>\x00", 400, 200002},
		"another encoding":          {whole, `<?xml version="1.0" encoding="utf-7"?><a/>`, 400, 200002},
		"not ended":                 {whole, "<a><b>x</b>", 400, 200002},
		"too deep":                  {whole, strings.Repeat("<a>", 2000) + strings.Repeat("</a>", 2000), 400, 200002},
		"cut":                       {cut, soap[:len(soap)-30], 0, 0},
		"cut, SQL":                  {cut, "<a><b>" + sql + "</b><c>x", 403, 949110},
		"cut, SQL last":             {cut, "<a><b>1' UNI<!---->ON SELECT password FROM users", 403, 949110},
		"cut within an attribute":   {cut, `<a><b c="` + sql, 403, 949110},
		"cut within a comment":      {cut, `<a><!-- ` + sql, 403, 949110},
		"cut, JSON":                 {cut, `{"q":"` + sql, 403, 949110},
		"the same value many times": {whole, "<a>" + strings.Repeat(`<b c="d">e</b>`, 2*maxXMLValues) + "</a>", 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			if v := e.Evaluate(context.Background(), xmlRequest(c.parameters, c.body)); v.Status != c.status || v.RuleID != c.rule {
				t.Errorf("%+v", v)
			}
		})
	}
}

func TestXMLValues(t *testing.T) {
	for body, want := range map[string][2][]string{
		"<a> x <b c='1'>y</b> z </a>":          {{"1"}, {"1", "x", "y", "z", "x  z"}},
		"<a>x<!--c-->y<![CDATA[<z>]]>&lt;</a>": {nil, {"c", "x", "y", "<z>", "<", "xy<z><"}},
		"<a>&amp;&unknown;</a>":                {nil, {"&&unknown;"}},
		"<a>\n <b/>\n</a>\n":                   {nil, nil},
	} {
		var doc xmlDocument
		if err := doc.read([]byte(body)); err != nil {
			t.Errorf("%s: %v", body, err)
		}
		if !slices.Equal(doc.attributes.list, want[0]) || !slices.Equal(doc.contents.list, want[1]) {
			t.Errorf("%s: %q %q", body, doc.attributes.list, doc.contents.list)
		}
	}
}

func TestXMLIsBounded(t *testing.T) {
	var many bytes.Buffer
	for i := range maxXMLValues + 1 {
		fmt.Fprintf(&many, "<a>%d</a>", i)
	}
	pieces := "<a>" + strings.NewReplacer("<a>", "<!---->", "</a>", "").Replace(many.String()) + "</a>"
	for _, body := range []string{many.String(), pieces} {
		var doc xmlDocument
		if err := doc.read([]byte(body)); err != errXMLValues || len(doc.contents.list) > maxXMLValues+1 {
			t.Error(err, len(doc.contents.list))
		}
	}
}

func BenchmarkXML(b *testing.B) {
	e := newTestEngine(b, Limits{}, nil)
	put(b, e, "app", waftest.Application)
	var many bytes.Buffer
	many.WriteString("<a>")
	for i := range maxXMLValues - 1 {
		fmt.Fprintf(&many, "<a>%d</a>", i)
	}
	many.WriteString("</a>")
	for b.Loop() {
		if v := e.Evaluate(context.Background(), xmlRequest("1.1.5.4.B.W-", many.String())); v.Action != "allow" {
			b.Fatal(v)
		}
	}
}
