// All of this package. `Problem` and `StreamEvent` are ours; what the document calls so are `ProblemBody` and `StreamEventBody`.
export { type Answer, type Data, type Operation, paginate, unwrap } from "./answer.js";
export { createGuardProxy, type GuardProxyOptions } from "./client.js";
export { type Client, type Config, createClient, createConfig, type RequestResult } from "./generated/client/index.js";
export { client } from "./generated/client.gen.js";
export type { Problem as ProblemBody, StreamEvent as StreamEventBody } from "./generated/index.js";
export * from "./generated/index.js";
export { isProblem, Problem } from "./problem.js";
export { type StreamEvent, type StreamOptions, stream, type Topic } from "./stream.js";
export { followRevision, type Verdict, type Waited, type WaitOptions, waitLive } from "./wait.js";
