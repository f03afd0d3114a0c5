import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    projects: [
      { test: { name: "unit", include: ["test/unit/*.test.ts"] } },
      // With a server of their own; one file after the other, since they change the same sites.
      {
        test: {
          name: "real",
          include: ["test/real/*.test.ts"],
          globalSetup: "test/real/setup.ts",
          fileParallelism: false,
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
    ],
  },
});
