/** `npm run docs`: writes the pages that come from the code. Runs on the pinned Node, which reads TypeScript. */
import { writeFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { configurationMarkdown } from "../src/host/config/markdown.ts";

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "..");
writeFileSync(path.join(root, "docs/CONFIGURATION.md"), configurationMarkdown());
