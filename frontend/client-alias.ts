// What `@guard-proxy/client` is until the package has an index of its own: see `paths` in tsconfig.json and `alias` in vite.config.ts.
export * from "./packages/client/src/generated";
export { client } from "./packages/client/src/generated/client.gen";
