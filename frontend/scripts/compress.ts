import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";
import type { Plugin } from "vite";

const TEXT = /\.(?:js|css|svg|json|txt)$/;

/** Puts `.br` and `.gz` beside each file that gets smaller by it: the server compresses nothing itself. */
export function compress(): Plugin {
  let folder = "dist";
  return {
    name: "guard-proxy-compress",
    apply: "build",
    configResolved(config) {
      folder = join(config.root, config.build.outDir);
    },
    closeBundle() {
      for (const path of readdirSync(folder, { recursive: true, encoding: "utf8" })) {
        const file = join(folder, path);
        if (!TEXT.test(path) || !statSync(file).isFile()) continue;
        const plain = readFileSync(file);
        const br = brotliCompressSync(plain, { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } });
        const gz = gzipSync(plain, { level: 9 });
        if (br.length < plain.length) writeFileSync(`${file}.br`, br);
        if (gz.length < plain.length) writeFileSync(`${file}.gz`, gz);
      }
    },
  };
}
