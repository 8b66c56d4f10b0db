/** What each transaction of a replayed block did and why it was refused: for people to read, and as JSON. */
import { decode } from "../../src/base/codec.ts";
import { certificateIssueShape, certificateRevokeShape } from "../../src/events/facts/certificate.ts";
import { type Command, PAYLOAD_BYTES_MAX } from "../../src/events/facts/command.ts";
import type { FactData } from "../../src/events/facts/fact.ts";
import { graphWriteShape } from "../../src/events/facts/graph.ts";
import type { ReplayedBatch, ReplayedBlock, ReplayedCommand } from "./replayed.ts";
import { formatChange, formatNode, formatRelation } from "../../src/host/cli/graph-text.ts";
import { timeText } from "./running.ts";

/** Characters of a line: a name may have a thousand. */
const LINE_MAX = 400;

/** What a command asked for, a line each; what cannot be read is said to be so. */
export function askedOf({ kind, payload }: Command): readonly string[] {
  switch (kind) {
    case "graph.write": {
      const write = decode(graphWriteShape, payload, PAYLOAD_BYTES_MAX);
      if (!write.ok) return [UNREADABLE];
      const { preconditions, changes } = write.value;
      const only = preconditions.map(
        ({ kind: must, assertion: { subject, object } }) =>
          `only if ${must === "mustExist" ? "there is" : "there is no"} ${formatNode(subject)} ${formatNode(object)}`,
      );
      return [...changes.map(formatChange), ...only];
    }
    case "certificate.issue": {
      const issue = decode(certificateIssueShape, payload, PAYLOAD_BYTES_MAX);
      return issue.ok
        ? issue.value.records.map(({ serial, aid }) => `record certificate ${serial} of ${aid}`)
        : [UNREADABLE];
    }
    case "certificate.revoke": {
      const revoke = decode(certificateRevokeShape, payload, PAYLOAD_BYTES_MAX);
      if (!revoke.ok) return [UNREADABLE];
      const { record, reason } = revoke.value;
      return [`revoke certificate ${record.serial} of ${record.aid}: ${reason}`];
    }
    case "kerl.append":
      return [`append ${payload.length} bytes of key events`];
  }
}

const UNREADABLE = "something that cannot be read";

/** Why, in the words of who signed it; undefined where nobody said. */
export function noteOf({ kind, payload }: Command): string | undefined {
  const write = kind === "graph.write" ? decode(graphWriteShape, payload, PAYLOAD_BYTES_MAX) : undefined;
  return write?.ok === true ? write.value.note : undefined;
}

/** What a fact says changed. */
export function factText(data: FactData): string {
  switch (data.kind) {
    case "namespaceAdded":
    case "namespaceDeleted":
      return `${wordsOf(data.kind)} ${data.namespace}`;
    case "relationAdded":
    case "relationDeleted":
      return `${wordsOf(data.kind)} ${formatRelation(data.relation)}`;
    case "subjectAdded":
    case "subjectDeleted":
      return `${wordsOf(data.kind)} ${formatNode(data.subject)}`;
    case "objectAdded":
    case "objectDeleted":
      return `${wordsOf(data.kind)} ${formatNode(data.object)}`;
    case "assertionAdded":
    case "assertionDeleted":
      return `${wordsOf(data.kind)} ${formatNode(data.assertion.subject)} ${formatNode(data.assertion.object)}`;
    case "relationMapped":
    case "relationUnmapped":
      return `${wordsOf(data.kind)} ${formatRelation(data.edge.parent)} ${formatRelation(data.edge.child)}`;
    case "subjectMapped":
    case "subjectUnmapped":
    case "objectMapped":
    case "objectUnmapped":
      return `${wordsOf(data.kind)} ${formatNode(data.edge.parent)} ${formatNode(data.edge.child)}`;
    default:
      return restText(data);
  }
}

type GraphKind = "namespace" | "relation" | "subject" | "object" | "assertion";
type Rest = Exclude<FactData, { readonly kind: `${GraphKind}${string}` }>;

function restText(data: Rest): string {
  switch (data.kind) {
    case "commandExecuted":
    case "commandRefused":
      return `${wordsOf(data.kind)} ${data.id}`;
    case "identifierIncepted":
      return `identifier incepted ${data.aid}`;
    case "batchRefused":
      return `batch refused: ${data.code}`;
    case "checkpointOrdered":
      return `checkpoint of height ${data.checkpoint} ordered`;
    case "certificateIssued":
      return `certificate ${data.record.serial} of ${data.record.aid} recorded`;
    case "certificateRevoked":
      return `certificate ${data.record.serial} of ${data.record.aid} revoked: ${data.reason}`;
    case "keyEventAccepted":
    case "keriReceiptAdded":
    case "keyEventForked":
      return `${wordsOf(data.kind)} ${data.aid} at ${data.sn}`;
    case "keyEventEscrowed":
      return `key event waits ${data.aid} at ${data.sn}: ${data.reason}`;
    case "keyEventDropped":
      return `key event dropped ${data.aid} at ${data.sn}: ${data.code}`;
    case "keriReplyAccepted":
      return `reply accepted of ${data.aid}`;
  }
}

/** "assertionAdded" as "assertion added". */
const wordsOf = (kind: string): string => kind.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);

/** Within bounds, and without what could drive a terminal: names and refusals are their authors' text. */
export function bounded(line: string): string {
  const shown = line.replace(/\p{C}/gu, "\ufffd");
  return shown.length > LINE_MAX ? `${shown.slice(0, LINE_MAX)}…` : shown;
}

/** A block and what its transactions did. */
export function linesOf(block: ReplayedBlock): readonly string[] {
  const { height, time, body, hash, facts } = block;
  const lines = [`height ${height}  ${timeText(time)}  ${body.kind}  ${hash}`];
  for (const item of inOrder(block)) lines.push(...("outcome" in item ? commandLines(item) : refusedLines(item)));
  if (block.commands.length === 0 && body.kind !== "executions")
    lines.push(...facts.map(({ index, data }) => `  ${index}  ${factText(data)}`));
  return lines.map(bounded);
}

/** Commands and refused batches in the order of the block. */
function inOrder({ commands, batches }: ReplayedBlock): readonly (ReplayedCommand | ReplayedBatch)[] {
  return [...commands, ...batches.filter(({ refused }) => refused !== null)].sort((a, b) => a.index - b.index);
}

function refusedLines({ index, author, refused, commands }: ReplayedBatch): readonly string[] {
  const by = author ?? "nobody who can be read";
  return [
    `  ${index}  batch of ${commands.length} by ${by}: refused ${refused?.code ?? ""}: ${refused?.message ?? ""}`,
  ];
}

function commandLines({ index, author, principal, command, outcome, facts }: ReplayedCommand): readonly string[] {
  const by = principal === null ? author : `${principal} through ${author}`;
  const asked = askedOf(command).map((line) => `       asked: ${line}`);
  const note = noteOf(command);
  const because = note === undefined ? [] : [`       because: ${note}`];
  const head = `  ${index}  ${command.kind} ${command.id} by ${by}`;
  switch (outcome.kind) {
    case "executed": {
      const did = facts.map(({ data }) => `       ${factText(data)}`);
      return [
        `${head}: executed`,
        ...because,
        ...(did.length > 0 ? did : [...asked, "       nothing changed: it was so already"]),
      ];
    }
    case "refused":
      return [`${head}: refused ${outcome.code}: ${outcome.message}`, ...because, ...asked];
    case "duplicate":
      return [`${head}: done before, at height ${outcome.of.height}, index ${outcome.of.index}`];
  }
}

/** One JSON object for each command and each batch that was refused. */
export function jsonOf(block: ReplayedBlock): readonly string[] {
  const { height, time } = block;
  return inOrder(block).map((item) =>
    JSON.stringify({ height, time, ...("outcome" in item ? commandJson(item) : batchJson(item)) }),
  );
}

const batchJson = ({ index, author, principal, refused, commands }: ReplayedBatch) => ({
  index,
  author,
  principal,
  batch: commands.map(({ id }) => id),
  outcome: { kind: "refused", ...refused },
});

const commandJson = ({ index, author, principal, keyState, command, outcome, facts }: ReplayedCommand) => ({
  index,
  author,
  principal,
  keyState,
  id: command.id,
  kind: command.kind,
  notAfter: command.notAfter,
  asked: askedOf(command),
  note: noteOf(command) ?? null,
  outcome: outcome.kind === "duplicate" ? { kind: outcome.kind, of: outcome.of } : outcome,
  facts: facts.map(({ n, data }) => ({ n, text: factText(data), ...(plain(data) as object) })),
});

/** Bytes as base64: JSON has none. */
export function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return Buffer.from(value).toString("base64");
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, field]) => [key, plain(field)]));
}
