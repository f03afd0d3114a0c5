import { Input, List, Skeleton, Stack } from "@mantine/core";
import { lazy, Suspense } from "react";
import type { EditorProps } from "./code/Editor";

// CodeMirror is larger than the rest of most pages.
const Editor = lazy(() => import("./code/Editor"));

type Props = EditorProps & { description?: string; error?: React.ReactNode };

/** Rules as text. Marks are in the text and in words below it: a wavy line says nothing to who cannot see it. */
export function SecLangEditor({ description, error, ...editor }: Props) {
  const { label, marks = [] } = editor;
  return (
    <Input.Wrapper label={label} description={description} error={error} labelElement="div">
      <Stack gap={4}>
        <Suspense fallback={<Skeleton height={160} />}>
          <Editor {...editor} />
        </Suspense>
        {marks.length > 0 && (
          <List size="sm" aria-label={`${label}: findings`}>
            {marks.map((mark) => (
              <List.Item key={`${mark.line} ${mark.column} ${mark.message}`}>
                {mark.line ? `Line ${mark.line}${mark.column ? `, column ${mark.column}` : ""}: ` : ""}
                {mark.message}
              </List.Item>
            ))}
          </List>
        )}
      </Stack>
    </Input.Wrapper>
  );
}
