// Compiles styles and script into the folder that is named: left-to-right, right-to-left, one script. The same input gives the same bytes.
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import rtlcss from "rtlcss";
import { compile } from "sass";

const here = dirname(fileURLToPath(import.meta.url));
const target = process.argv[2] ?? join(here, "..", "static");
mkdirSync(target, { recursive: true });

const css = compile(join(here, "styles", "refnet.scss"), {
  loadPaths: [join(here, "node_modules")],
  style: "compressed",
  quietDeps: true,
}).css;
writeFileSync(join(target, "refnet.css"), css + "\n");
writeFileSync(join(target, "refnet.rtl.css"), rtlcss.process(css) + "\n");

await build({
  entryPoints: [join(here, "scripts", "refnet.js")],
  outfile: join(target, "refnet.js"),
  bundle: true,
  minify: true,
  format: "iife",
  target: "es2020",
  legalComments: "none",
  logLevel: "error",
});
