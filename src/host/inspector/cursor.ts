/** Where a reader of entries stands: for each node the last entry it has, as opaque text that survives `id:` and a query. */
import type { EntryKey } from "./contract.ts";
import { TEXT_MAX } from "./source.ts";

/** The last entry that was read, by node. */
export type Positions = ReadonlyMap<string, { readonly life: number; readonly n: number }>;

/** More nodes than any committee that fits one page. */
const NODES_MAX = 100;
const POSITION = /^([^~.]{1,400})\.(\d{1,15})\.(\d{1,15})$/;

export const cursorOf = (positions: Positions): string =>
  [...positions]
    .map(([node, { life, n }]) => `${encodeURIComponent(node).replace(/[.~]/g, escaped)}.${life}.${n}`)
    .join("~");

const escaped = (char: string): string => `%${char.charCodeAt(0).toString(16).toUpperCase()}`;

/** Undefined for what `cursorOf` did not make. */
export function readCursor(text: string): Positions | undefined {
  const positions = new Map<string, { life: number; n: number }>();
  if (text === "") return positions;
  if (text.length > TEXT_MAX) return undefined;
  const parts = text.split("~");
  if (parts.length > NODES_MAX) return undefined;
  for (const part of parts) {
    const [, name, life, n] = POSITION.exec(part) ?? [];
    const node = name === undefined ? undefined : decoded(name);
    if (node === undefined || positions.has(node)) return undefined;
    positions.set(node, { life: Number(life), n: Number(n) });
  }
  return positions;
}

/** The positions after these entries too. */
export function advanced(positions: Positions, entries: readonly EntryKey[]): Positions {
  const next = new Map(positions);
  for (const { node, life, n } of entries) next.set(node, { life, n });
  return next;
}

function decoded(name: string): string | undefined {
  try {
    return decodeURIComponent(name);
  } catch {
    return undefined;
  }
}
