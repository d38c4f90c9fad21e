import { readFileSync } from "node:fs";
import { Parser } from "@asyncapi/parser";
let wrong = 0;
for (const path of process.argv.slice(2)) {
  const found = await new Parser().validate(readFileSync(path, "utf8"));
  for (const one of found.filter((d) => d.severity === 0)) { wrong += 1; console.log(`${path}: ${one.path.join(".")}: ${one.message}`); }
}
process.exit(wrong ? 1 : 0);
