import { MergeView, unifiedMergeView } from "@codemirror/merge";
import { EditorState } from "@codemirror/state";
import { EditorView, lineNumbers } from "@codemirror/view";
import { useEffect, useRef } from "react";
import { seclang } from "./seclang";
import { base } from "./theme";

export type MergeProps = { before: string; after: string; label: string; unified?: boolean };

/** Loaded by `CodeDiff` when it is shown. */
export default function Merge({ before, after, label, unified = false }: MergeProps) {
  const place = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (!place.current) return;
    const shared = (name: string) => [
      base(),
      lineNumbers(),
      seclang,
      EditorState.readOnly.of(true),
      EditorView.contentAttributes.of({ "aria-label": `${label}, ${name}`, "aria-readonly": "true" }),
    ];
    const view = unified
      ? new EditorView({
          parent: place.current,
          doc: after,
          extensions: [shared("difference"), unifiedMergeView({ original: before, mergeControls: false })],
        })
      : new MergeView({
          parent: place.current,
          a: { doc: before, extensions: shared("before") },
          b: { doc: after, extensions: shared("after") },
          collapseUnchanged: { margin: 3, minSize: 6 },
        });
    return () => view.destroy();
  }, [before, after, label, unified]);
  return <div ref={place} />;
}
