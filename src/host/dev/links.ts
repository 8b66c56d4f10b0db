/** Links to a dev node's inspector, asked for over the channel to its process. */
import type { ChildProcess } from "node:child_process";
import type { NodeLink } from "../inspector/node-client.ts";
import type { DevLinkRequest, DevNodeReport } from "./messages.ts";

/** A node that is busy for longer will be asked again. Units: ms. */
const ANSWER_TIMEOUT_MS = 5_000;

/** Returns what asks the process for a fresh link; undefined when it does not answer, or has ended. */
export function linksOf(child: ChildProcess): () => Promise<NodeLink | undefined> {
  const waiting: ((link: NodeLink | undefined) => void)[] = [];
  child.on("message", (report) => {
    const message = report as DevNodeReport;
    if (message.kind === "inspectLink") waiting.shift()?.({ origin: message.origin, token: message.token });
  });
  child.once("exit", () => {
    for (const answer of waiting.splice(0)) answer(undefined);
  });
  return () =>
    new Promise((resolve) => {
      if (!child.connected) return resolve(undefined);
      const timer = setTimeout(() => resolve(undefined), ANSWER_TIMEOUT_MS);
      waiting.push((link) => {
        clearTimeout(timer);
        resolve(link);
      });
      child.send({ kind: "inspectLink" } satisfies DevLinkRequest, () => {});
    });
}
