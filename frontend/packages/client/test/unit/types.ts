// What the types promise: compiled, never run.
import {
  type EngineStatus,
  getPolicy,
  isProblem,
  listTokens,
  listVhosts,
  type PolicyRepresentation,
  type ProblemCode,
  paginate,
  patchPolicy,
  putPolicy,
  stream,
  unwrap,
  type VhostRepresentation,
  waitLive,
} from "../../src/index.ts";

export async function promises(error: unknown): Promise<void> {
  const path = { policy: "shop" };
  for await (const vhost of paginate(listVhosts, { query: { sort: "-name" } })) vhost satisfies VhostRepresentation;
  for await (const token of paginate(listTokens, {})) token.id satisfies string;
  // @ts-expect-error: no such order
  paginate(listVhosts, { query: { sort: "color" } });
  // @ts-expect-error: no such parameter
  paginate(listVhosts, { query: { colour: "red" } });
  // @ts-expect-error: no list
  for await (const item of paginate(getPolicy, { path })) item.name;
  // @ts-expect-error: without the policy's name
  await waitLive(patchPolicy, { body: {} });

  const policy = await unwrap(getPolicy({ path }));
  policy satisfies PolicyRepresentation;
  // What was read can be written back.
  await putPolicy({ path, body: policy });
  const waited = await waitLive(patchPolicy, { path, body: { mode: "block" } });
  waited.data?.mode satisfies PolicyRepresentation["mode"] | undefined;
  if (waited.outcome === "live") waited.liveRevision satisfies number;

  if (isProblem<PolicyRepresentation>(error, "precondition_failed")) error.current?.paranoia.blocking satisfies number | undefined;
  if (isProblem(error)) {
    error.code satisfies ProblemCode;
    error.current?.name satisfies unknown;
  }
  // @ts-expect-error: no such code
  isProblem(error, "bad_luck");

  for await (const event of stream({ topics: ["status", "proofs"] })) {
    event.topic satisfies "status" | "proofs" | "reset";
    if (event.topic === "status") event.data satisfies EngineStatus;
  }
  // @ts-expect-error: no such topic
  stream({ topics: ["weather"] });
}
