import { StreamLanguage, type StreamParser } from "@codemirror/language";

type State = { expects: "variables" | "operator" | "actions" | undefined; quoted: boolean; more: boolean };

/** Enough of SecLang to see its parts: directives, variables, operators, actions, comments. */
const parser: StreamParser<State> = {
  name: "seclang",
  startState: () => ({ expects: undefined, quoted: false, more: false }),
  token(stream, state) {
    if (stream.sol()) {
      // A line that a backslash ends goes on in the next.
      if (!state.more && !state.quoted) state.expects = undefined;
      state.more = false;
    }
    if (stream.eatSpace()) return null;
    if (state.quoted) return quoted(stream, state);
    if (stream.peek() === "#" && state.expects === undefined) {
      stream.skipToEnd();
      return "comment";
    }
    if (stream.match(/\\$/)) {
      state.more = true;
      return "punctuation";
    }
    if (stream.match(/Sec[A-Za-z]+/)) {
      state.expects = stream.current() === "SecRule" ? "variables" : "actions";
      return "keyword";
    }
    if (stream.eat('"')) {
      state.quoted = true;
      return "string";
    }
    if (state.expects === "variables" && stream.match(/[^\s"]+/)) {
      state.expects = "operator";
      return "variableName";
    }
    stream.next();
    return null;
  },
};

function quoted(stream: Parameters<typeof parser.token>[0], state: State): string | null {
  if (stream.eat('"')) {
    state.quoted = false;
    if (state.expects === "variables") state.expects = "operator";
    else if (state.expects === "operator") state.expects = "actions";
    return "string";
  }
  if (stream.match(/\\$/)) return "punctuation";
  if (state.expects === "operator" && stream.match(/!?@[A-Za-z]+/)) return "operatorKeyword";
  if (state.expects === "actions" && stream.match(/[a-zA-Z]+(?=[:,"\s]|$)/)) return "propertyName";
  if (stream.match(/'(?:\\.|[^'\\])*'/)) return "string";
  if (stream.match(/\d+\b/)) return "number";
  if (stream.match(/\\./)) return "string";
  stream.next();
  return "string";
}

export const seclang = StreamLanguage.define(parser);
