/** By whose act something came to be: what every answer to an auditor names. */
import type { Aid, CommandId, Height, LogTime } from "../../../src/base/brands.ts";
import type { CommandKind, KeyStateRef } from "../../../src/events/facts/command.ts";
import type { ReplayedBlock, ReplayedCommand } from "../replayed.ts";
import { noteOf } from "../text.ts";

/** A place in the log. */
export interface Place {
  readonly height: Height;
  /** Which command of the block. */
  readonly index: number;
  /** Log time of the block. Units: ms since 1970; 0 for genesis. */
  readonly time: LogTime;
}

export type Origin =
  /** The founding document says so, which every founder and operator signed. */
  | (Place & { readonly by: "founding" })
  /** A command that its author signed. */
  | (Place & {
      readonly by: "command";
      readonly author: Aid;
      /** The legacy client that the author, a gateway, signed for. */
      readonly principal: Aid | null;
      /** Establishment event whose keys signed. */
      readonly keyState: KeyStateRef;
      readonly command: CommandId;
      readonly kind: CommandKind;
      /** Why, in the author's words; null where none were signed. */
      readonly note: string | null;
    })
  /** Nobody's act: log time had come. */
  | (Place & { readonly by: "time" });

export function originOf(
  block: ReplayedBlock,
  { index, author, principal, keyState, command }: ReplayedCommand,
): Origin {
  const { height, time } = block;
  const { id, kind } = command;
  const note = noteOf(command) ?? null;
  return { by: "command", height, index, time, author, principal, keyState, command: id, kind, note };
}

/** The origin of any fact of a block, by the index that facts carry. */
export function originsOf(block: ReplayedBlock): (index: number) => Origin {
  const commands = new Map(block.commands.map((command) => [command.index, command]));
  return (index) => {
    const { height, time } = block;
    const command = commands.get(index);
    if (command !== undefined) return originOf(block, command);
    return { by: block.body.kind === "genesis" ? "founding" : "time", height, index, time };
  };
}
