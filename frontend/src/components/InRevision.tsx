import { TextLink } from "./TextLink";

/** Where an object was changed last. What is staged has no revision: its number is negative. */
export function InRevision({ revision }: { revision: number }) {
  if (revision < 0) return <>in this change set</>;
  return (
    <>
      in <TextLink to={`/changes/revisions/${revision}`}>revision {revision}</TextLink>
    </>
  );
}
