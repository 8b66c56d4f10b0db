/**
 * DID documents of KERI identifiers, made of their key state and their endpoints.
 * Source: ToIP did:webs specification, "DID Documents" (verification methods, thresholds, relationships, service endpoints,
 * "Transformation to did:web DID Document"). A document says less than the log that it is made of: verify by keri.cesr.
 */
import { type VerificationKey, publicJwkOf } from "../../crypto/verification-key.ts";
import type { Threshold, WeightEntry } from "../../crypto/threshold.ts";
import type { KeyState } from "../../keri/key-state.ts";
import type { BoundEndpoint } from "../services/kerl-endpoints.ts";

export interface DidDocument {
  readonly [property: string]: unknown;
  readonly id: string;
}

interface Described {
  /** Of the document: did:webs:…, did:web:… or did:keri:…. */
  readonly id: string;
  /** Other names of the same identifier. */
  readonly alsoKnownAs: readonly string[];
  readonly state: KeyState;
  readonly endpoints: readonly BoundEndpoint[];
}

export function didDocument({ id, alsoKnownAs, state, endpoints }: Described): DidDocument {
  const keys = state.keyTexts.map((text, i) => keyMethod(id, text, state.keys[i]));
  const condition = conditionOf(id, state);
  const proves = isSingle(state.threshold)
    ? state.keyTexts.map((text) => `#${text}`)
    : condition === undefined
      ? []
      : [`#${state.aid}`];
  return {
    id,
    controller: id,
    alsoKnownAs,
    verificationMethod: condition === undefined ? keys : [condition, ...keys],
    authentication: proves,
    assertionMethod: proves,
    service: endpoints.filter(({ locations }) => locations.length > 0).map(serviceOf),
  };
}

const isSingle = (threshold: Threshold): boolean => threshold === 1;

function keyMethod(controller: string, text: string, key: VerificationKey | undefined) {
  const jwk = key === undefined ? {} : publicJwkOf(key);
  return { id: `#${text}`, type: "JsonWebKey", controller, publicKeyJwk: { kid: text, ...jwk } };
}

/** Undefined for one signature, and for thresholds in several clauses or groups, or with weights beyond exact numbers, which the method has no form for. */
function conditionOf(controller: string, { aid, threshold, keyTexts }: KeyState) {
  if (isSingle(threshold)) return undefined;
  const method = { id: `#${aid}`, type: "ConditionalProof2022", controller };
  if (typeof threshold === "number")
    return { ...method, threshold, conditionThreshold: keyTexts.map((text) => `#${text}`) };
  const [clause] = threshold.clauses;
  if (clause === undefined || threshold.clauses.length > 1 || !clause.every(({ kind }) => kind === "key"))
    return undefined;
  const common = clause.reduce((lcd, { weight }) => leastCommonMultiple(lcd, weight.denominator), 1n);
  if (common > Number.MAX_SAFE_INTEGER) return undefined;
  return {
    ...method,
    // The method says half of the least common denominator, which is less than KERI asks for.
    threshold: Number(common) / 2,
    conditionWeightedThreshold: clause.map((entry, i) => ({
      condition: `#${keyTexts[i] ?? ""}`,
      weight: Number(numeratorOver(entry, common)),
    })),
  };
}

const numeratorOver = ({ weight }: WeightEntry, common: bigint): bigint =>
  (weight.numerator * common) / weight.denominator;

function leastCommonMultiple(a: bigint, b: bigint): bigint {
  let [x, y] = [a, b];
  while (y !== 0n) [x, y] = [y, x % y];
  return (a / x) * b;
}

const serviceOf = ({ role, endpoint, locations }: BoundEndpoint) => ({
  id: `#${endpoint}/${role}`,
  type: role,
  serviceEndpoint: Object.fromEntries(locations.map(({ scheme, url }) => [scheme, url])),
});
