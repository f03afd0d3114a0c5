import { defineConfig } from "@hey-api/openapi-ts";

export default defineConfig({
  input: "../../../openapi/openapi.json",
  // With extensions, since what tsc makes of it is loaded by Node and browsers as it is.
  output: { path: "src/generated", module: { extension: ".js" } },
  plugins: ["@hey-api/client-fetch", "@hey-api/typescript", "@hey-api/sdk"],
});
