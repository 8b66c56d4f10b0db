/**
 * One node of `sky dev`, in a process of its own. Its parent tells it what to run over the IPC channel and hears how it fares;
 * when the parent is gone the node stops.
 */
import { readConfig } from "../config/read.ts";
import { EXIT, processIo } from "../cli/io.ts";
import { runNode } from "../cli/node.ts";
import { demand } from "../enclave/node-files.ts";
import type { DevLinkRequest, DevNodeOrder, DevNodeReport } from "./messages.ts";

const report = (message: DevNodeReport): void => void process.send?.(message, undefined, undefined, () => {});

async function run({ settings, passphrase }: DevNodeOrder): Promise<void> {
  const io = processIo();
  const { config } = demand(readConfig(settings, {}, undefined));
  process.once("disconnect", () => process.kill(process.pid, "SIGTERM"));
  try {
    process.exitCode = await runNode(config, io, {
      dev: true,
      pretty: false,
      onStarted: ({ inspectLink }) => {
        process.on("message", (request: DevLinkRequest) => {
          if (request.kind !== "inspectLink") return;
          const { origin, token } = inspectLink();
          report({ kind: "inspectLink", origin, token });
        });
        report({ kind: "started" });
      },
      onServing: () => report({ kind: "serving" }),
      onLogTrouble: (trouble) => report({ kind: "waits", reason: `its log is ${trouble}` }),
      ...(passphrase === null ? {} : { passphrase: Uint8Array.from(Buffer.from(passphrase, "base64")) }),
    });
  } catch (error) {
    report({ kind: "failed", reason: error instanceof Error ? error.message : String(error) });
    process.exitCode = EXIT.unavailable;
  }
  process.disconnect();
}

process.once("message", (order) => void run(order as DevNodeOrder));
