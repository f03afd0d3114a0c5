import { defaultKeymap, history, historyKeymap } from "@codemirror/commands";
import { type Diagnostic, lintGutter, setDiagnostics } from "@codemirror/lint";
import { Compartment, EditorState } from "@codemirror/state";
import { EditorView, keymap, lineNumbers } from "@codemirror/view";
import { useEffect, useRef } from "react";
import { type Mark, range } from "./marks";
import { seclang } from "./seclang";
import { base } from "./theme";

export type EditorProps = {
  value: string;
  onChange?: (value: string) => void;
  label: string;
  readOnly?: boolean;
  marks?: Mark[];
};

const writing = new Compartment();
/** A place to write in, also while there is little in it. */
const roomy = EditorView.theme({ ".cm-content, .cm-gutter": { minHeight: "8rem" } });

/** Loaded by `SecLangEditor` when it is shown. */
export default function Editor({ value, onChange, label, readOnly = false, marks }: EditorProps) {
  const place = useRef<HTMLDivElement>(null);
  const view = useRef<EditorView>(undefined);
  const latest = useRef({ value, onChange, label });
  latest.current = { value, onChange, label };

  useEffect(() => {
    if (!place.current) return;
    const made = new EditorView({
      parent: place.current,
      state: EditorState.create({
        doc: latest.current.value,
        extensions: [
          base(),
          roomy,
          lineNumbers(),
          history(),
          // Tab leaves the editor: whoever uses the keyboard is not caught in it.
          keymap.of([...defaultKeymap, ...historyKeymap]),
          seclang,
          lintGutter(),
          EditorView.contentAttributes.of({ "aria-label": latest.current.label, spellcheck: "false" }),
          writing.of([]),
          EditorView.updateListener.of((update) => {
            if (update.docChanged) latest.current.onChange?.(update.state.doc.toString());
          }),
        ],
      }),
    });
    view.current = made;
    return () => made.destroy();
  }, []);

  useEffect(() => {
    view.current?.dispatch({ effects: writing.reconfigure([EditorState.readOnly.of(readOnly), EditorView.editable.of(!readOnly)]) });
  }, [readOnly]);

  useEffect(() => {
    const now = view.current?.state.doc.toString();
    if (now !== undefined && now !== value) view.current?.dispatch({ changes: { from: 0, to: now.length, insert: value } });
  }, [value]);

  useEffect(() => {
    const { current } = view;
    if (!current) return;
    const text = current.state.doc.toString();
    const found = (marks ?? []).map((mark): Diagnostic => ({ ...range(text, mark), severity: mark.severity, message: mark.message }));
    current.dispatch(setDiagnostics(current.state, found));
  }, [marks]);

  return <div ref={place} />;
}
