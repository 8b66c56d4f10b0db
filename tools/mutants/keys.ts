/** Our own bugs about identifiers: key states in the ledger, the rules of key event receipt logs, their layers, tables and escrows. */
import type { Mutant } from "./mutant.ts";

/** Identifiers live; and members start again from their tables. */
const KEYS = ["--with", "keys", "--byzantine", "0", "--minutes", "0.5"];
const RESTARTS = [...KEYS, "--with", "projector", "--fault", "crash"];

export const KEY_LOGS: readonly Mutant[] = [
  {
    name: "old-keys-act-in-the-block-of-the-rotation",
    why: "ADR 0020: a batch is judged by its author's newest establishment event at its place, not at the end of the block before.",
    edits: [
      {
        file: "src/projections/ledger/ledger.ts",
        find: "const keyState = work.kerl.keyState(body.author);",
        replace: "const keyState = this.kerl.keyState(body.author);",
      },
    ],
    options: KEYS,
    seeds: 30,
  },
  {
    name: "key-states-of-before-are-taken",
    why: "ADR 0020: a batch that names an earlier key state is STALE_KEY_STATE, whoever signed it.",
    edits: [
      {
        file: "src/projections/ledger/ledger.ts",
        find: "    if (keyState.sn !== body.keyState.sn || keyState.said !== body.keyState.said) {",
        replace: "    if (keyState.sn < body.keyState.sn) {",
      },
    ],
    options: KEYS,
    seeds: 10,
    quick: true,
  },
  {
    name: "a-fork-takes-the-place-of-the-first",
    why: "ADR 0020: first admitted wins; a rotation over a rotation supersedes nothing (rule A1).",
    edits: [
      {
        file: "src/keri/superseding.ts",
        find: "if (event.sn <= state.sn && !overRotation)",
        replace: "if (event.sn < state.sn && !overRotation)",
      },
    ],
    options: KEYS,
    seeds: 20,
  },
  {
    name: "superseded-events-stay-in-force",
    why: "ADR 0020: a rotation that supersedes lawfully marks what it supersedes.",
    edits: [
      {
        file: "src/projections/kerl/layer.ts",
        find: "_sn: number, said: Said): void {\n    this.#superseded.add(said);",
        replace: "_sn: number, said: Said): void {\n    this.#superseded.has(said);",
      },
    ],
    options: KEYS,
    seeds: 30,
  },
  {
    name: "a-restart-forgets-escrows",
    why: "ADR 0020: escrows are part of the state; a member that starts again from its tables has them.",
    edits: [
      {
        file: "src/projections/kerl/load-live-kerl.ts",
        find: "  for (const escrow of archive.escrows()) live.loadEscrow(escrow);\n",
        replace: "",
      },
    ],
    options: RESTARTS,
    seeds: 20,
  },
  {
    name: "events-out-of-order-wait-for-ever",
    why: "ADR 0020: escrows are dropped at the height where they are due, all of them. (They live for 16 heights here, or no run would see it.)",
    edits: [
      {
        file: "src/keri/kerl.ts",
        find: "export const ESCROW_HEIGHTS_MAX = 1024;",
        replace: "export const ESCROW_HEIGHTS_MAX = 16;",
      },
      {
        file: "src/projections/kerl/append.ts",
        find: "isExpired(escrow, height));",
        replace: 'escrow.reason !== "out-of-order" && isExpired(escrow, height));',
      },
    ],
    options: KEYS,
    seeds: 20,
  },
  {
    name: "delegations-need-no-anchor",
    why: "ToIP KERI, Cooperative Delegation: a delegated event is in force once its delegator anchors it.",
    edits: [
      {
        file: "src/keri/judge-event.ts",
        find: "  if (anchor.value === undefined && state.delegator !== null)\n",
        replace: '  if (anchor.value === undefined && state.delegator === "")\n',
      },
    ],
    options: KEYS,
    seeds: 20,
  },
  {
    name: "one-witness-is-enough",
    why: "ADR 0020: an event waits until the log holds as many receipts of witnesses as it asks for.",
    edits: [
      {
        file: "src/keri/judge-event.ts",
        find: "if (support.witnesses.size < state.witnessThreshold)",
        replace: "if (support.witnesses.size < Math.min(1, state.witnessThreshold))",
      },
    ],
    options: KEYS,
    seeds: 30,
  },
];
