/** `sky inspect --node`: a link to a running node's own page, from its API port. */
import { Metadata } from "@grpc/grpc-js";
import { ok, refuse } from "../../base/result.ts";
import { ask } from "../founding/operator-actions.ts";
import { linkWith } from "../inspector/token.ts";
import type { CreateLinkResponse } from "../../wire/generated/sky/inspect/v1/inspect.ts";
import { type CliIo, EXIT, type ExitCode, reportRefusal } from "./io.ts";
import { exitOf, onEveryNode, openDesk } from "./operator-command.ts";

export interface InspectNodeOptions {
  /** Its name, or its API address. */
  readonly node: string;
  readonly founding?: string;
  readonly operator?: string;
  readonly passphraseFile?: string;
  readonly json?: boolean;
}

interface LinkReport {
  readonly url: string;
  readonly expiresInSeconds: number;
}

const sentence = ({ url, expiresInSeconds }: LinkReport): string =>
  `\n\n  ${url}\n\nThe link opens once, within ${Math.round(expiresInSeconds / 60)} minutes, on the node's own machine; from another one, forward the port first: ssh -L ${new URL(url).port}:127.0.0.1:${new URL(url).port} MACHINE`;

export async function run(given: InspectNodeOptions, io: CliIo): Promise<ExitCode> {
  const { node, founding, operator, json = false } = given;
  if (founding === undefined || operator === undefined) {
    const missing = refuse("USAGE", "A node's page is asked for as an operator: --founding FILE --operator FILE.");
    reportRefusal(io, missing.refusal, json);
    return EXIT.usage;
  }
  const options = { ...given, founding, operator, args: [[node]] };
  const desk = await openDesk(options, io);
  if (!desk.ok) return reportRefusal(io, desk.refusal, json);
  try {
    const results = await onEveryNode<LinkReport>(
      desk.value,
      options,
      io,
      async (action) => {
        const { inspect } = action.connection;
        const reply = await ask<CreateLinkResponse>(action, (call, callback) =>
          inspect.createLink({}, new Metadata(), call, callback),
        );
        if (!reply.ok) return reply;
        const { origin, token, expiresInSeconds } = reply.value;
        return ok({ url: linkWith(origin, token), expiresInSeconds });
      },
      sentence,
    );
    return exitOf(results);
  } finally {
    desk.value.file.close();
  }
}
