package spop

// maxMessages bounds the messages in one NOTIFY. A group can name several, never this many.
const maxMessages = 64

// Message is one message of a NOTIFY, with its arguments in the order HAProxy sent them.
type Message struct {
	Name string
	Args []Arg
}

// Arg is a named argument. HAProxy sends an empty name for an argument without one.
type Arg struct {
	Name  string
	Value Value
}

// Scope says how long HAProxy keeps a variable.
type Scope byte

// The scopes an agent may set.
const (
	ScopeProcess     Scope = 0
	ScopeSession     Scope = 1
	ScopeTransaction Scope = 2
	ScopeRequest     Scope = 3
	ScopeResponse    Scope = 4
)

// Action sets a variable in HAProxy. Its name gets the `var-prefix` of the engine there.
type Action struct {
	Scope Scope
	Name  string
	Value Value
}

// SetTxn makes an action that sets a variable for the transaction.
func SetTxn(name string, v Value) Action {
	return Action{Scope: ScopeTransaction, Name: name, Value: v}
}

// decodeMessages reads the payload of a NOTIFY.
func decodeMessages(b []byte) ([]Message, error) {
	var messages []Message
	for len(b) > 0 {
		if len(messages) == maxMessages {
			return nil, ErrTooMany
		}
		name, rest, err := chunk(b)
		if err != nil {
			return nil, err
		}
		if len(rest) == 0 {
			return nil, ErrShort
		}
		count := int(rest[0])
		b = rest[1:]
		m := Message{Name: string(name), Args: make([]Arg, 0, min(count, 16))}
		for range count {
			var key []byte
			if key, b, err = chunk(b); err != nil {
				return nil, err
			}
			var v Value
			if v, b, err = typed(b); err != nil {
				return nil, err
			}
			m.Args = append(m.Args, Arg{Name: string(key), Value: v})
		}
		messages = append(messages, m)
	}
	return messages, nil
}

const (
	actionSetVar     = 1
	actionSetVarArgs = 3
)

func appendActions(b []byte, actions []Action) []byte {
	for _, a := range actions {
		b = append(b, actionSetVar, actionSetVarArgs, byte(a.Scope))
		b = appendString(b, a.Name)
		b = appendTyped(b, a.Value)
	}
	return b
}
