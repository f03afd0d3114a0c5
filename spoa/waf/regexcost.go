package waf

import (
	"fmt"
	"regexp/syntax"
	"slices"
)

// Budgets of expressions in submitted text. What Go's engine needs to compile grows with the instructions, and
// what it needs to match grows with the instructions that are alive at a byte: 35 to 45 ns each were measured,
// so that maxSteps of them take about a quarter of a second for a value of 128 KiB.
const (
	maxExpression        = 8 << 10 // bytes of one; parsing `\pL` takes 5 KiB of memory for 3 bytes
	maxInstructions      = 2_000
	maxTotalInstructions = 200_000
	maxSteps             = 50
)

// expense adds up what the expressions of one text cost.
type expense struct {
	total int
	seen  map[string]bool
}

// charge tells why an expression is refused; empty if it is not. What does not parse is left to the engine,
// which refuses it in its own words.
func (e *expense) charge(expression string) string {
	if e.seen[expression] {
		return "" // the engine compiles it once
	}
	if len(expression) > maxExpression {
		return fmt.Sprintf("the expression is too expensive: %d bytes, at most %d", len(expression), maxExpression)
	}
	tree, err := syntax.Parse(expression, syntax.Perl)
	if err != nil {
		return ""
	}
	n := instructions(tree)
	if n > maxInstructions {
		return fmt.Sprintf("the expression is too expensive: %d instructions, at most %d", n, maxInstructions)
	}
	if e.total += n; e.total > maxTotalInstructions {
		return fmt.Sprintf("the expressions up to this one are too expensive together: %d instructions, at most %d", e.total, maxTotalInstructions)
	}
	prog, err := syntax.Compile(tree.Simplify())
	if err != nil {
		return ""
	}
	if steps := stepsPerByte(prog); steps > maxSteps {
		return fmt.Sprintf("the expression is too expensive: %d steps for each byte it looks at, at most %d; "+
			`anchor it with \A, make its repetitions shorter, or write a list of words as @pm`, steps, maxSteps)
	}
	if e.seen == nil {
		e.seen = map[string]bool{}
	}
	e.seen[expression] = true
	return ""
}

// saturated bounds the arithmetic of instructions.
const saturated = 1 << 30

// instructions is the size of the program, computed from the tree before a repetition is written out: this is
// what must not happen with 30 times `.{0,1000}`.
func instructions(re *syntax.Regexp) int {
	n := 0
	for _, sub := range re.Sub {
		n = min(saturated, n+instructions(sub))
	}
	switch re.Op {
	case syntax.OpLiteral:
		n = len(re.Rune)
	case syntax.OpCharClass:
		n = 1 + len(re.Rune)/32 // large classes are large in memory
	case syntax.OpConcat:
	case syntax.OpAlternate:
		n += len(re.Sub)
	case syntax.OpRepeat:
		if re.Max < 0 {
			n = (n+1)*max(1, re.Min) + 1
		} else {
			n = n*re.Max + re.Max - re.Min
		}
	default:
		n += 2
	}
	return min(saturated, n)
}

// probeLength is how many characters a probe has.
const probeLength = 256

// stepsPerByte runs the program as Go's engine would, counting instead of matching, over inputs that keep many
// instructions alive: the same character again and again, and a text the expression itself asks for. It is not
// a proof of the worst case, which instructions bounds, but finds repetitions that overlap with themselves.
func stepsPerByte(prog *syntax.Prog) int {
	s := &stepper{prog: prog, mark: make([]int, len(prog.Inst))}
	runes := 0
	for i := range prog.Inst {
		if consumes(&prog.Inst[i]) {
			runes++
		}
	}
	if runes <= maxSteps {
		return runes // all of them alive are not too many
	}
	worst := 0
	for _, c := range representatives(prog) {
		worst = max(worst, s.run(slices.Repeat([]rune{c}, probeLength)))
	}
	for _, second := range []bool{false, true} {
		worst = max(worst, s.run(s.walk(second)))
	}
	return worst
}

func consumes(i *syntax.Inst) bool {
	switch i.Op {
	case syntax.InstRune, syntax.InstRune1, syntax.InstRuneAny, syntax.InstRuneAnyNotNL:
		return true
	}
	return false
}

// representatives are characters the expression tells apart, the commonest in it and a few usual ones.
func representatives(prog *syntax.Prog) []rune {
	count := map[rune]int{'a': 1 << 20, '0': 1 << 20, ' ': 1 << 20, '\n': 1 << 20, '/': 1 << 20, 'é': 1 << 20}
	for i := range prog.Inst {
		if in := &prog.Inst[i]; consumes(in) && len(in.Rune) > 0 {
			count[in.Rune[0]]++
		}
	}
	out := make([]rune, 0, len(count))
	for c := range count {
		out = append(out, c)
	}
	slices.SortFunc(out, func(a, b rune) int {
		if d := count[b] - count[a]; d != 0 {
			return d
		}
		return int(a - b)
	})
	return out[:min(len(out), 16)]
}

type stepper struct {
	prog      *syntax.Prog
	mark      []int // the generation in which an instruction was added
	gen       int
	now, next []uint32
	stack     []uint32
}

// add puts the instructions that consume, reached from pc without consuming, into next.
func (s *stepper) add(pc uint32, flags syntax.EmptyOp) {
	s.stack = append(s.stack[:0], pc)
	for len(s.stack) > 0 {
		pc := s.stack[len(s.stack)-1]
		s.stack = s.stack[:len(s.stack)-1]
		if s.mark[pc] == s.gen {
			continue
		}
		s.mark[pc] = s.gen
		switch in := &s.prog.Inst[pc]; in.Op {
		case syntax.InstAlt, syntax.InstAltMatch:
			s.stack = append(s.stack, in.Arg, in.Out)
		case syntax.InstEmptyWidth:
			if syntax.EmptyOp(in.Arg)&^flags == 0 {
				s.stack = append(s.stack, in.Out)
			}
		case syntax.InstCapture, syntax.InstNop:
			s.stack = append(s.stack, in.Out)
		case syntax.InstMatch, syntax.InstFail:
		default:
			s.next = append(s.next, pc)
		}
	}
}

// run gives the steps for each character, rounded. An instruction that waits in vain, as the words of
// a list do, counts half.
func (s *stepper) run(input []rune) int {
	halves := 0
	s.gen++
	s.next = s.next[:0]
	s.add(uint32(s.prog.Start), syntax.EmptyOpContext(-1, input[0]))
	for i, c := range input {
		s.now, s.next = s.next, s.now[:0]
		s.gen++
		after := rune(-1)
		if i+1 < len(input) {
			after = input[i+1]
		}
		flags := syntax.EmptyOpContext(c, after)
		halves += len(s.now)
		for _, pc := range s.now {
			if in := &s.prog.Inst[pc]; in.MatchRune(c) {
				halves++
				s.add(in.Out, flags)
			}
		}
		s.add(uint32(s.prog.Start), flags) // a match may begin anywhere
	}
	return halves / 2 / len(input)
}

// walk follows the program and notes what it wants to read, again and again from its start. second prefers
// the other branch of each choice.
func (s *stepper) walk(second bool) []rune {
	out := make([]rune, 0, probeLength)
	pc := uint32(s.prog.Start)
	for steps := 0; len(out) < probeLength && steps < 16*probeLength; steps++ {
		switch in := &s.prog.Inst[pc]; in.Op {
		case syntax.InstAlt, syntax.InstAltMatch:
			pc = in.Out
			if second {
				pc = in.Arg
			}
		case syntax.InstMatch, syntax.InstFail:
			pc = uint32(s.prog.Start)
		case syntax.InstRuneAny, syntax.InstRuneAnyNotNL:
			out, pc = append(out, 'a'), in.Out
		case syntax.InstRune, syntax.InstRune1:
			c := 'a'
			if len(in.Rune) > 0 {
				c = in.Rune[0]
			}
			out, pc = append(out, c), in.Out
		default:
			pc = in.Out
		}
	}
	if len(out) == 0 {
		out = append(out, 'a')
	}
	return out
}
