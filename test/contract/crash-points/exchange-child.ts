/** Exchanges a directory's projections, and is killed at one of the steps: `node exchange-child.ts DIRECTORY rebuilt|previous STEP`. */
import { argv, kill, pid } from "node:process";
import { exchange, keepRetired, projectionFiles } from "../../../src/host/projector/exchange.ts";

const [directory, candidate, last] = argv.slice(2);
if (directory === undefined || (candidate !== "rebuilt" && candidate !== "previous"))
  throw new Error("which exchange?");
const files = projectionFiles(directory);
const atStep = (step: string): void => {
  if (step === last) kill(pid, "SIGKILL");
};
const exchanged = exchange(files, files[candidate], atStep);
if (!exchanged.ok) throw new Error(exchanged.refusal.message);
keepRetired(files, atStep);
