/**
 * `sky init …`: what is made offline before a cluster exists. Operators, founders and clients make keys and hand over cards;
 * one of them assembles the document; every founder and operator signs it; `finish` makes the file that nodes start with.
 */
import { join } from "node:path";
import type { Aid } from "../../base/brands.ts";
import { type Result, ok, refuse } from "../../base/result.ts";
import { signer } from "../../crypto/ed25519.ts";
import { FOUNDING_BYTES_MAX, type FoundingSignature } from "../../events/facts/founding.ts";
import { inceptionOf, newController } from "../../keri/controller.ts";
import { armor, dearmor } from "../founding/armor.ts";
import {
  clientCardText,
  foundingSignatureText,
  operatorCardText,
  readClientCard,
  readFounderCard,
  readFoundingSignatures,
  readOperatorCard,
} from "../founding/cards.ts";
import { clientFiles, readClientIdentity, writeClientFolder, writeIdentity } from "../founding/client-folder.ts";
import {
  assembleFounding,
  isEndpoint,
  isName,
  openFounding,
  sealFounding,
  signFounding,
} from "../founding/document.ts";
import { fileExists, makePrivateDirectory, readPublic, writeAtomic } from "../founding/files.ts";
import { createFounder, signAsFounder } from "../founding/founder.ts";
import { OperatorFile, newOperator, operatorCardOf, operatorSeed } from "../founding/operator-file.ts";
import { nodeFiles } from "../enclave/node-files.ts";
import { type CliIo, EXIT, type ExitCode, reportRefusal } from "./io.ts";
import { random } from "./operator-command.ts";
import { readNewPassphrase, readPassphrase } from "./passphrase.ts";

interface Common {
  readonly json?: boolean;
}

/** What a subcommand made: files, and facts worth showing. Nothing in it is secret. */
type Made = Readonly<Record<string, string | number | readonly string[]>>;

async function telling(options: Common, io: CliIo, make: () => Promise<Result<Made>>): Promise<ExitCode> {
  const made = await make();
  if (!made.ok) return reportRefusal(io, made.refusal, options.json ?? false);
  if (options.json === true) io.out(JSON.stringify({ ok: true, ...made.value }));
  else
    for (const [what, value] of Object.entries(made.value))
      io.out(`${what}: ${typeof value === "object" ? value.join(", ") : value}`);
  return EXIT.ok;
}

/** Never overwrites keys. */
const mustBeNew = (path: string): Result<undefined> =>
  fileExists(path)
    ? refuse("FILE_EXISTS", `${path} exists already; keys are never overwritten. Choose another name or directory.`)
    : ok(undefined);

const judgeName = (name: string): Result<string> =>
  isName(name) ? ok(name) : refuse("NAME_ILL_FORMED", "A name is not empty and has no control characters.", "client");

export interface InitOperatorOptions extends Common {
  readonly name: string;
  /** Directory of operator.sky (the encrypted file) and operator.card. */
  readonly dir: string;
  readonly passphraseFile?: string;
}

/** `sky init operator` */
export const runOperator = (options: InitOperatorOptions, io: CliIo): Promise<ExitCode> =>
  telling(options, io, async () => {
    const file = join(options.dir, "operator.sky");
    const card = join(options.dir, "operator.card");
    const fresh = mustBeNew(file);
    const name = judgeName(options.name);
    if (!fresh.ok) return fresh;
    if (!name.ok) return name;
    const passphrase = await readNewPassphrase(io, `New passphrase for ${file}`, options.passphraseFile);
    if (!passphrase.ok) return passphrase;
    makePrivateDirectory(options.dir);
    const secrets = newOperator(options.name, random, Date.now());
    writeAtomic(card, operatorCardText(operatorCardOf(secrets)), 0o644);
    OperatorFile.create(file, secrets, passphrase.value, random).close();
    passphrase.value.fill(0);
    return ok({ operator: secrets.aid, file, card });
  });

export interface InitFounderOptions extends Common {
  readonly name: string;
  readonly dir: string;
  /** host:port each. */
  readonly api: string;
  readonly approach: string;
  readonly cluster: string;
  readonly service: string;
  readonly passphraseFile?: string;
}

/** `sky init founder` */
export const runFounder = (options: InitFounderOptions, io: CliIo): Promise<ExitCode> =>
  telling(options, io, async () => {
    const { api, approach, cluster, service } = options;
    const wrong = [api, approach, cluster, service].find((endpoint) => !isEndpoint(endpoint));
    if (wrong !== undefined) return refuse("ENDPOINT_ILL_FORMED", `${JSON.stringify(wrong)} is not host:port.`);
    const name = judgeName(options.name);
    if (!name.ok) return name;
    const passphrase = await readNewPassphrase(
      io,
      `New passphrase for the keystore of ${options.name}`,
      options.passphraseFile,
    );
    if (!passphrase.ok) return passphrase;
    const founder = await createFounder({
      directory: options.dir,
      name: options.name,
      endpoints: { api, approach, cluster, service },
      passphrase: passphrase.value,
      random,
      now: Date.now(),
    });
    passphrase.value.fill(0);
    return founder.ok
      ? ok({ founder: founder.value.card.aid, directory: options.dir, card: nodeFiles(options.dir).card })
      : founder;
  });

export interface InitClientOptions extends Common {
  readonly dir: string;
  /** With the founding document: writes ca.pem and a TLS certificate for the identity that the directory holds. */
  readonly founding?: string;
}

/** `sky init client`: an identity and its card; called again with the founding document, the rest of the folder. */
export const runClient = (options: InitClientOptions, io: CliIo): Promise<ExitCode> =>
  telling(options, io, async () => {
    const files = clientFiles(options.dir);
    if (options.founding === undefined) {
      const fresh = mustBeNew(files.identity);
      if (!fresh.ok) return fresh;
      const identity = newController(random);
      makePrivateDirectory(options.dir);
      const card = join(options.dir, "client.card");
      writeAtomic(card, clientCardText({ aid: identity.aid, icp: inceptionOf(identity) }), 0o644);
      writeIdentity(options.dir, { ...identity, since: Date.now() }, null);
      return ok({ client: identity.aid, directory: options.dir, card });
    }
    const content = readPublic(options.founding, 2 * FOUNDING_BYTES_MAX);
    const founding = content.ok ? openFounding(content.value) : content;
    if (!founding.ok) return founding;
    const identity = readClientIdentity(options.dir);
    if (!identity.ok) return identity;
    const { document, cluster } = founding.value;
    await writeClientFolder({
      directory: options.dir,
      identity: identity.value,
      document,
      cluster,
      random,
      now: Date.now(),
    });
    return ok({
      client: identity.value.aid,
      directory: options.dir,
      certificate: files.certificate,
      anchors: files.anchors,
    });
  });

export interface InitAssembleOptions extends Common {
  readonly name: string;
  readonly threshold: number;
  /** Paths of cards. The order of founders is the order of members; that of operators gives each its index. */
  readonly founder: readonly string[];
  readonly operator: readonly string[];
  readonly admin: readonly string[];
  readonly client?: readonly string[];
  /** Names of founders that may sign for legacy clients. */
  readonly gateway?: readonly string[];
  readonly out: string;
}

/** `sky init assemble` */
export const runAssemble = (options: InitAssembleOptions, io: CliIo): Promise<ExitCode> =>
  telling(options, io, async () => {
    const founders = readAll(options.founder, readFounderCard);
    const operators = readAll(options.operator, readOperatorCard);
    const admins = readAll(options.admin, readClientCard);
    const clients = readAll(options.client ?? [], readClientCard);
    if (!founders.ok) return founders;
    if (!operators.ok) return operators;
    if (!admins.ok) return admins;
    if (!clients.ok) return clients;
    const gateways: Aid[] = [];
    for (const name of options.gateway ?? []) {
      const founder = founders.value.find((card) => card.name === name);
      if (founder === undefined) return refuse("NODE_UNKNOWN", `The gateway ${name} is none of the founders.`);
      gateways.push(founder.aid);
    }
    const document = assembleFounding({
      name: options.name,
      dev: false,
      founders: founders.value,
      operators: operators.value,
      threshold: options.threshold,
      admins: admins.value,
      gateways,
      clients: clients.value,
    });
    if (!document.ok) return document;
    writeAtomic(options.out, armor("SKY FOUNDING DOCUMENT", document.value.bytes), 0o644);
    return ok({
      cluster: document.value.cluster,
      document: options.out,
      signers: [...founders.value, ...operators.value].map((card) => card.name),
    });
  });

function readAll<T>(paths: readonly string[], read: (path: string) => Result<T>): Result<readonly T[]> {
  const cards: T[] = [];
  for (const path of paths) {
    const card = read(path);
    if (!card.ok) return card;
    cards.push(card.value);
  }
  return ok(cards);
}

export interface InitSignOptions extends Common {
  /** The assembled document. */
  readonly document: string;
  /** Sign as this operator (its file) or as this founder (its directory): exactly one. */
  readonly operator?: string;
  readonly founderDir?: string;
  readonly out: string;
  readonly passphraseFile?: string;
}

/** `sky init sign` */
export const runSign = (options: InitSignOptions, io: CliIo): Promise<ExitCode> =>
  telling(options, io, async () => {
    const { operator, founderDir } = options;
    if ((operator === undefined) === (founderDir === undefined))
      return refuse("SIGNER_MISSING", "Sign either as an operator (its file) or as a founder (its directory).");
    const document = readDocument(options.document);
    if (!document.ok) return document;
    const passphrase = await readPassphrase(
      io,
      `Passphrase of ${operator ?? founderDir ?? ""}`,
      options.passphraseFile,
    );
    if (!passphrase.ok) return passphrase;
    const signature =
      operator === undefined
        ? signAsFounder(founderDir ?? "", document.value, passphrase.value)
        : signAsOperator(operator, document.value, passphrase.value);
    passphrase.value.fill(0);
    if (!signature.ok) return signature;
    writeAtomic(options.out, foundingSignatureText(signature.value), 0o644);
    return ok({ signer: signature.value.aid, signature: options.out });
  });

function signAsOperator(path: string, document: Uint8Array, passphrase: Uint8Array): Result<FoundingSignature> {
  const file = OperatorFile.open(path, passphrase, random);
  if (!file.ok) return file;
  const signature = signFounding(document, file.value.secrets.aid, signer(operatorSeed(file.value.secrets)));
  file.value.close();
  return ok(signature);
}

function readDocument(path: string): Result<Uint8Array> {
  const content = readPublic(path, 2 * FOUNDING_BYTES_MAX);
  return content.ok ? dearmor("SKY FOUNDING DOCUMENT", content.value, path) : content;
}

export interface InitFinishOptions extends Common {
  readonly document: string;
  /** Paths of signatures, one for every founder and operator. */
  readonly signature: readonly string[];
  readonly out: string;
}

/** `sky init finish`: the signed founding document, which goes to every node's directory as founding.sky. */
export const runFinish = (options: InitFinishOptions, io: CliIo): Promise<ExitCode> =>
  telling(options, io, async () => {
    const document = readDocument(options.document);
    if (!document.ok) return document;
    const signatures = readAll(options.signature, readFoundingSignatures);
    if (!signatures.ok) return signatures;
    const file = sealFounding(document.value, signatures.value.flat());
    if (!file.ok) return file;
    const founding = openFounding(file.value);
    if (!founding.ok) return founding;
    writeAtomic(options.out, file.value, 0o644);
    return ok({ cluster: founding.value.cluster, founding: options.out });
  });
