import { HighlightStyle, syntaxHighlighting } from "@codemirror/language";
import { EditorView } from "@codemirror/view";
import { tags } from "@lezer/highlight";
import { styleNonce } from "@/theme";

/** The panel's colours, dark and light by the page's own variables. */
const look = EditorView.theme({
  "&": {
    fontSize: "var(--mantine-font-size-sm)",
    backgroundColor: "var(--mantine-color-body)",
    color: "var(--mantine-color-text)",
    border: "1px solid var(--mantine-color-default-border)",
  },
  "&.cm-focused": { outline: "2px solid var(--mantine-color-anchor)" },
  ".cm-scroller": { fontFamily: "var(--mantine-font-family-monospace)", maxHeight: "32rem" },
  ".cm-gutters": {
    backgroundColor: "var(--mantine-color-body)",
    color: "var(--mantine-color-dimmed)",
    borderRight: "1px solid var(--mantine-color-default-border)",
  },
  ".cm-content": { caretColor: "var(--mantine-color-text)" },
  ".cm-cursor": { borderLeftColor: "var(--mantine-color-text)" },
  ".cm-activeLine, .cm-activeLineGutter": { backgroundColor: "transparent" },
  "&.cm-focused .cm-selectionBackground, .cm-selectionBackground": { backgroundColor: "light-dark(#d0ebff, #1c4a70) !important" },
  ".cm-tooltip": { backgroundColor: "var(--mantine-color-body)", border: "1px solid var(--mantine-color-default-border)" },
  ".cm-changedLine": { backgroundColor: "light-dark(#e6fcf5, #0f2f27) !important" },
  ".cm-deletedChunk": { backgroundColor: "light-dark(#ffe3e3, #4a1d1d) !important" },
});

const colours = syntaxHighlighting(
  HighlightStyle.define([
    { tag: tags.keyword, color: "light-dark(#862e9c, #da77f2)", fontWeight: "600" },
    { tag: tags.variableName, color: "light-dark(#0b5394, #74c0fc)" },
    { tag: tags.operatorKeyword, color: "light-dark(#a61e4d, #faa2c1)" },
    { tag: tags.propertyName, color: "light-dark(#5c3d00, #ffd43b)" },
    { tag: tags.string, color: "light-dark(#1d6b2f, #8ce99a)" },
    { tag: tags.number, color: "light-dark(#9c3600, #ffc078)" },
    { tag: tags.comment, color: "var(--mantine-color-dimmed)", fontStyle: "italic" },
  ]),
);

/** What each editor begins with; its styles carry the page's nonce. */
export function base() {
  const nonce = styleNonce();
  return [look, colours, EditorView.lineWrapping, nonce ? EditorView.cspNonce.of(nonce) : []];
}
