import { fileURLToPath } from "node:url";
import { tanstackRouter } from "@tanstack/router-plugin/vite";
import react from "@vitejs/plugin-react";
import type { ProxyOptions } from "vite";
import { defineConfig } from "vitest/config";
import { compress } from "./scripts/compress.ts";

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const api = process.env.GUARD_PROXY_API ?? "http://127.0.0.1:8080";
// The browser talks to vite alone, so for the API it is one site: `Host` stays the browser's, and the cookie is vite's host's.
const proxied: ProxyOptions = {
  target: api,
  changeOrigin: false,
  configure: (proxy) => {
    // A stream's head is to arrive before its first event: that may take a while.
    proxy.on("proxyRes", (_answer, _request, response) => setImmediate(() => response.flushHeaders()));
  },
};

export default defineConfig({
  plugins: [
    tanstackRouter({
      target: "react",
      autoCodeSplitting: true,
      routesDirectory: "src/routes",
      generatedRouteTree: "src/routeTree.gen.ts",
      routeFileIgnorePattern: "\\.test\\.|\\.module\\.",
    }),
    react(),
    compress(),
  ],
  resolve: { alias: { "@": here("src"), "@guard-proxy/client": here("packages/client/src/index.ts") } },
  server: {
    host: "127.0.0.1",
    proxy: Object.fromEntries(["/api", "/docs", "/health", "/ready", "/.well-known"].map((path) => [path, proxied])),
  },
  build: {
    // Images in scripts and styles would be `data:`; as files they are hashed and kept like the rest.
    assetsInlineLimit: 0,
    manifest: true,
    modulePreload: { polyfill: false },
  },
  test: {
    environment: "jsdom",
    setupFiles: "src/test/setup.ts",
    include: ["src/**/*.test.{ts,tsx}"],
    css: false,
    restoreMocks: true,
    testTimeout: 30_000,
  },
});
