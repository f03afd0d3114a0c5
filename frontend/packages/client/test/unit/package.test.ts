import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { build } from "vite";
import { expect, it } from "vitest";

const SRC = join(import.meta.dirname, "../../src");

it("has at most 300 lines of ours", () => {
  const lines = readdirSync(SRC).filter((name) => name.endsWith(".ts"));
  const count = lines.map((name) => readFileSync(join(SRC, name), "utf8").split("\n").length - 1);
  expect(count.reduce((sum, lines) => sum + lines, 0)).toBeLessThanOrEqual(300);
});

it("needs nothing at run time", () => {
  const { dependencies, peerDependencies, sideEffects } = JSON.parse(readFileSync(join(SRC, "../package.json"), "utf8"));
  expect({ dependencies, peerDependencies, sideEffects }).toEqual({ sideEffects: false });
});

it("costs a bundle what it uses", async () => {
  const size = async (code: string) => {
    const entry = {
      name: "entry",
      resolveId: (id: string) => (id === "entry" ? id : null),
      load: (id: string) => (id === "entry" ? code : null),
    };
    const made = await build({
      configFile: false,
      logLevel: "silent",
      root: join(SRC, ".."),
      plugins: [entry],
      build: { write: false, rollupOptions: { input: "entry", preserveEntrySignatures: "strict" } },
    });
    return (made as { output: { code: string }[] }).output[0]?.code.length ?? 0;
  };
  const from = join(SRC, "index.ts");
  expect(await size(`export { isProblem } from ${JSON.stringify(from)}`)).toBeLessThan(1000);
  expect(await size(`export { createGuardProxy, getPolicy } from ${JSON.stringify(from)}`)).toBeLessThan(14_000);
});
