import { Box } from "@mantine/core";
import { Fragment, useMemo } from "react";
import { type SideLine, sides } from "@/lib/unified";
import classes from "./UnifiedDiff.module.css";

/** A file's difference as the server sends it, before and after side by side. */
export function UnifiedDiff({ diff, label }: { diff: string; label: string }) {
  const hunks = useMemo(() => sides(diff), [diff]);
  return (
    <Box className={classes.box} role="region" aria-label={label} tabIndex={0}>
      <table className={classes.table}>
        <thead className={classes.hidden}>
          <tr>
            <th colSpan={2}>Before</th>
            <th colSpan={2}>After</th>
          </tr>
        </thead>
        <tbody>
          {hunks.map((hunk) => (
            <Fragment key={hunk.head}>
              <tr>
                <td colSpan={4} className={classes.head}>
                  {hunk.head}
                </td>
              </tr>
              {hunk.pairs.map(({ left, right }) => (
                <tr key={`${left?.number ?? ""} ${right?.number ?? ""}`}>
                  <Side line={left} mark="−" className={classes.removed} />
                  <Side line={right} mark="+" className={classes.added} />
                </tr>
              ))}
            </Fragment>
          ))}
        </tbody>
      </table>
    </Box>
  );
}

function Side({ line, mark, className }: { line: SideLine | undefined; mark: string; className: string | undefined }) {
  return (
    <>
      <td className={classes.number}>{line?.number}</td>
      <td className={line?.changed ? className : classes.same}>
        {line?.changed ? `${mark} ` : ""}
        {line?.text}
      </td>
    </>
  );
}
