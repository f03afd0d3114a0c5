import type { TestProject } from "vitest/node";
import { startServer } from "../../../../test/server.ts";

declare module "vitest" {
  export interface ProvidedContext {
    api: { url: string; token: string };
    person: { email: string; password: string };
  }
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const server = await startServer();
  try {
    project.provide("api", { url: server.apiUrl, token: server.token });
    project.provide("person", await server.person("editor"));
  } catch (error) {
    await server.stop();
    throw error;
  }
  return server.stop;
}
