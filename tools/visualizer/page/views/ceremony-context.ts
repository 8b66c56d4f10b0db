/** What the ceremony machine's context, as its server shows it, says of operators and shares. Whatever is not there counts as not said. */

export interface ShownOperator {
  readonly aid: string;
  readonly name: string;
  /** Index of its share, from 1. */
  readonly index: number;
  readonly given: boolean;
  /** It holds its share of the dealing and has signed for it. */
  readonly acknowledged: boolean;
  /** Wrong shares that are remembered. */
  readonly wrong: readonly string[];
}

export interface ShownCeremony {
  readonly operators: readonly ShownOperator[];
  readonly threshold: number | null;
  /** Shares in. */
  readonly given: number;
  readonly initiator: string | null;
  readonly purpose: string | null;
  readonly custody: string | null;
  /** How the last ceremony ended, unless it opened the node. */
  readonly outcome: string | null;
  readonly blamed: readonly string[];
}

type Fields = Readonly<Record<string, unknown>>;
const isFields = (value: unknown): value is Fields =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const fields = (value: unknown): Fields => (isFields(value) ? value : {});
const list = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);
const text = (value: unknown): string | null => (typeof value === "string" && value !== "" ? value : null);

/** Refuses: null when it is no context of a ceremony. */
export function readCeremony(context: unknown): ShownCeremony | null {
  if (!isFields(context)) return null;
  const { operators, threshold, custody } = context;
  if (!Array.isArray(operators)) return null;
  const ceremony = fields(context["ceremony"]);
  const outcome = fields(context["outcome"]);
  const accepted = list(ceremony["accepted"]);
  const acknowledged = list(context["acknowledged"]);
  const attempts = [...list(context["attempts"])].map(fields);
  const names = new Map(operators.map((one) => [text(fields(one)["aid"]), text(fields(one)["name"])]));
  const nameOf = (aid: unknown): string => names.get(text(aid)) ?? text(aid) ?? "somebody";
  const shown = operators.map((one, at): ShownOperator => {
    const aid = text(fields(one)["aid"]) ?? "";
    const name = nameOf(aid);
    const isIt = (said: unknown): boolean => said === name || said === aid;
    return {
      aid,
      name,
      index: at + 1,
      given: accepted.some(isIt),
      acknowledged: acknowledged.some(isIt),
      wrong: attempts.filter(({ operator }) => isIt(operator)).map(({ code }) => text(code) ?? "refused"),
    };
  });
  return {
    operators: shown,
    threshold: typeof threshold === "number" ? threshold : null,
    given: shown.filter(({ given }) => given).length,
    initiator: ceremony["initiator"] === undefined ? null : nameOf(ceremony["initiator"]),
    purpose: text(ceremony["purpose"]),
    custody: text(custody),
    outcome: text(outcome["kind"]),
    blamed: list(outcome["blamed"]).map(nameOf),
  };
}

const CUSTODY: Readonly<Record<string, string>> = {
  passphrase: "under a passphrase: no root has been dealt yet",
  opened: "under a passphrase that has been given: the root can be dealt now",
  root: "under the root that the operators share",
};

/** How the keystore's key is wrapped, in words. */
export const custodySentence = (custody: string | null): string | null =>
  custody === null ? null : `The keystore's key is wrapped ${CUSTODY[custody] ?? custody}.`;
