package waf

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"regexp"
	"strings"

	"github.com/corazawaf/coraza/v3/experimental/plugins"
	"github.com/corazawaf/coraza/v3/experimental/plugins/plugintypes"
)

// The keys under which Coraza has what it reads of XML. The Core Rule Set looks at most attacks in the first only.
const (
	xmlContents   = "/*"
	xmlAttributes = "//@*"
)

// Each value is looked at by each rule: a body of very many is refused.
const (
	maxXMLDepth  = 1024
	maxXMLValues = 5_000
)

var (
	errXMLStart     = errors.New("does not begin as XML")
	errXMLDirective = errors.New("document type with more than a name")
	errXMLDepth     = errors.New("elements nested too deep")
	errXMLValues    = errors.New("too many values")
)

var (
	plainDoctype = regexp.MustCompile(`(?i)^DOCTYPE\s+[\w:.-]+\s*$`)
	// Six words and numbers cannot harm, but for detectors of SQL they are a call of a function.
	svgTransform   = regexp.MustCompile(`^(?:[\s,]*(?:matrix|translate|scale|rotate|skewX|skewY)\s*\([\d\s,.eE+-]*\))+\s*$`)
	xmlDeclaration = regexp.MustCompile(`^(?:\s*(?:version|encoding|standalone)\s*=\s*(?:"[\w.-]*"|'[\w.-]*'))*\s*$`)
)

// Coraza registers its own when its package is initialized, before ours, which imports it: this one stays.
func init() {
	plugins.RegisterBodyProcessor("xml", func() plugintypes.BodyProcessor { return xmlBody{} })
}

// xmlBody reads more of a document than Coraza's reader, which knows text and attributes only, each piece of text
// alone, and which takes a document that begins with anything.
type xmlBody struct{}

func (xmlBody) ProcessRequest(body io.Reader, v plugintypes.TransactionVariables, _ plugintypes.BodyProcessorOptions) error {
	text, err := io.ReadAll(body)
	if err != nil {
		return err
	}
	var doc xmlDocument
	err = doc.read(bytes.TrimPrefix(text, []byte("\xef\xbb\xbf")))
	// Of what is refused, too: where rules only detect, they are to see it.
	v.RequestXML().Set(xmlAttributes, doc.attributes.list)
	v.RequestXML().Set(xmlContents, doc.contents.list)
	return err
}

func (xmlBody) ProcessResponse(io.Reader, plugintypes.TransactionVariables, plugintypes.BodyProcessorOptions) error {
	return nil
}

type xmlDocument struct {
	attributes, contents values
	open                 []*element // the first is the document itself
}

// element is the text of an open element: runs are parted by its children, and the pieces of the current run by
// comments, sections and instructions.
type element struct{ runs, pieces []string }

func (d *xmlDocument) read(text []byte) error {
	if start := bytes.TrimLeft(text, " \t\r\n"); len(start) > 0 && start[0] != '<' {
		d.contents.add(string(text))
		return errXMLStart
	}
	d.open = []*element{{}}
	dec := xml.NewDecoder(bytes.NewReader(text))
	dec.Strict, dec.Entity = false, xml.HTMLEntity // as Coraza's; but a <link> has text here, as in RSS
	for {
		from := dec.InputOffset()
		token, err := dec.Token()
		if err == nil {
			err = d.add(token)
		}
		if err == nil && (len(d.contents.list) > maxXMLValues || len(d.attributes.list) > maxXMLValues) {
			err = errXMLValues
		}
		if err == nil {
			continue
		}
		for len(d.open) > 0 {
			d.closeElement()
		}
		if err == io.EOF {
			return nil
		}
		d.contents.add(string(text[from:])) // what could not be read, as it stands
		return err
	}
}

func (d *xmlDocument) add(token xml.Token) error {
	top := d.open[len(d.open)-1]
	switch t := token.(type) {
	case xml.StartElement:
		for _, a := range t.Attr {
			d.attributes.add(a.Value)
			if !svgTransform.MatchString(a.Value) {
				d.contents.add(a.Value)
			}
		}
		d.endRun(top)
		if d.open = append(d.open, &element{}); len(d.open) > maxXMLDepth {
			return errXMLDepth
		}
	case xml.EndElement:
		d.closeElement()
	case xml.CharData:
		top.pieces = append(top.pieces, string(t))
	case xml.Comment:
		d.contents.add(string(t))
	case xml.ProcInst:
		d.addInstruction(t)
	case xml.Directive:
		d.contents.add(string(t))
		if !plainDoctype.Match(t) {
			return errXMLDirective
		}
	}
	return nil
}

// addInstruction adds code with the bracket by which rules know it. What belongs to XML itself, as style sheets,
// goes without, because any such bracket is an attack to them.
func (d *xmlDocument) addInstruction(t xml.ProcInst) {
	switch {
	case t.Target == "xml" && xmlDeclaration.Match(t.Inst):
	case strings.HasPrefix(t.Target, "xml"):
		d.contents.add(string(t.Inst))
	default:
		d.contents.add("<?" + t.Target + " " + string(t.Inst) + "?>")
	}
}

func (d *xmlDocument) closeElement() {
	last := len(d.open) - 1
	e := d.open[last]
	d.endRun(e)
	d.contents.add(strings.Join(e.runs, ""))
	d.open = d.open[:last]
}

// endRun adds the pieces, and the run that they are: a server may read them alone or together. Blanks between
// children are no run.
func (d *xmlDocument) endRun(e *element) {
	for _, piece := range e.pieces {
		d.contents.add(piece)
	}
	if run := strings.Join(e.pieces, ""); strings.TrimSpace(run) != "" {
		d.contents.add(run)
		e.runs = append(e.runs, run)
	}
	e.pieces = e.pieces[:0]
}

// values are those that are not blank, each once, and at most one more than allowed.
type values struct {
	list []string
	seen map[string]struct{}
}

func (v *values) add(s string) {
	s = strings.TrimSpace(s)
	if _, known := v.seen[s]; known || s == "" || len(v.list) > maxXMLValues {
		return
	}
	if v.seen == nil {
		v.seen = map[string]struct{}{}
	}
	v.seen[s] = struct{}{}
	v.list = append(v.list, s)
}
