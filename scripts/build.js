/** `npm run build`: writes the published package's JavaScript to dist, since Node strips no types below node_modules. */
import { readdirSync, rmSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { bundle } from "./bundle.js";

const target = path.join(path.resolve(path.dirname(fileURLToPath(import.meta.url)), ".."), "dist");
rmSync(target, { recursive: true, force: true });
await bundle(target);
process.stdout.write(`${readdirSync(target).filter((name) => name.endsWith(".js")).length} modules in dist\n`);
