/**
 * The command line. This file knows every command's name, options and help; what a command does stands in a module of its
 * own (`./dev.ts`, `./unseal.ts` …) that is imported only when it runs, so that `sky --help` loads nothing but commander.
 *
 * A command module exports `run(options, io): Promise<ExitCode>`, where `options` are commander's (camelCase, as declared
 * here) with the arguments, if it has any, as `args`. It writes results by `io.out` and progress by `io.err`, honours
 * `options.json` (one JSON object a line, and nothing else, on standard output), closes what it opened and returns; it never calls
 * process.exit. It returns a refusal's exit code (`reportRefusal`), and throws only faults and defects: `main` reports those.
 */
import { Argument, Command, InvalidArgumentError } from "commander";
import { addAuditCommands } from "./audit-commands.ts";
import { addProjectionCommands } from "./projection-commands.ts";
import { SHELLS, type Shell, completionScript } from "./completion.ts";
import { addInspectCommand } from "./inspect-command.ts";
import {
  type ProgramContext,
  addSettings,
  height,
  milliseconds,
  repeated,
  runner,
  wholeNumber,
} from "./registration.ts";

const EXIT_HELP = `
Exit codes:
  0  done
  1  refused: the answer was "no", and a sentence says why
  2  the command line or the configuration is wrong; nothing was done
  3  unavailable: nobody answers, or a disk or a port cannot be had; trying again may help
  4  a defect of Sky's`;

const NODE_HELP = `
A subject or object is NAMESPACE:NAME#RELATION; namespace and relation may be absent. %3A, %23, %20 stand for ":", "#" and space.
Changes are: add | delete with namespace | relation | subject | object | assertion; map | unmap with relation | subject | object.`;

/** A cluster below four tolerates no fault. */
const nodeCount = wholeNumber(4, 100, "A cluster's size");
const checkpointBlocks = wholeNumber(2, 10_000_000, "Blocks between checkpoints");

const commandId = (value: string): string => {
  if (/^[0-9a-f]{32}$/.test(value)) return value;
  throw new InvalidArgumentError("A command's id is 32 lower-case hex digits.");
};

/** Builds the program. Throws (while parsing): CommanderError. */
export function buildProgram(context: ProgramContext): Command {
  const program = new Command("sky")
    .description("A self-bootstrapping, Byzantine-fault-tolerant cluster for identity, secrets and authorization.")
    .version(context.version)
    .exitOverride()
    .configureOutput({
      writeOut: (text) => context.io.out(text.trimEnd()),
      writeErr: (text) => context.io.err(text.trimEnd()),
    })
    .showHelpAfterError("(sky --help lists commands, sky COMMAND --help their options)")
    .addHelpText("after", EXIT_HELP)
    .enablePositionalOptions();
  addClusterCommands(program, context);
  addInitCommands(program, context);
  addCeremonyCommands(program, context);
  addOracleCommands(program, context);
  addCertificateCommands(program, context);
  addKelCommands(program, context);
  addConfigCommands(program, context);
  addSimulate(program, context);
  addInspectCommand(program, context);
  addAuditCommands(program, context);
  for (const command of withDescendants(program)) {
    command.exitOverride().copyInheritedSettings(program);
    if (command.commands.length === 0) command.option("--json", "print the result as JSON");
  }
  return program;
}

const withDescendants = (command: Command): readonly Command[] =>
  command.commands.flatMap((one) => [one, ...withDescendants(one)]);

function addClusterCommands(program: Command, context: ProgramContext): void {
  const run = runner(context);
  program
    .command("dev")
    .description("run a cluster on this machine; for trying out, never for real secrets")
    .option(
      "--dir <directory>",
      "keep the cluster here and start it again from here; without it, a temporary directory",
    )
    .option("--nodes <count>", "how many nodes, at least 4", nodeCount)
    .option("--checkpoint-blocks <count>", "blocks between two checkpoints of every node", checkpointBlocks)
    .option("--certificate-lifetime <seconds>", "of every node's ports", wholeNumber(10, 31_536_000, "A lifetime"))
    .option("--rotate-keys-every <seconds>", "every node rotates its key", wholeNumber(0, 315_360_000, "An age"))
    .option("--story", "tell the acceptance story against it")
    .option("--once", "tell the story, then stop")
    .option("--revive <name>", "start the dead node of this name again, in the running cluster of --dir")
    .action(run(() => import("./dev.ts")));
  const node = program.command("node").description("run one node; it starts sealed");
  addSettings(node, context.settings).action(run(() => import("./node.ts")));
}

/** Where a passphrase comes from, for commands that make or open what is encrypted under one. */
const passphraseFile = [
  "--passphrase-file <file>",
  "file whose first line is the passphrase; without it, it is asked for",
] as const;

function addInitCommands(program: Command, context: ProgramContext): void {
  const run = runner(context);
  const init = program.command("init").description("make the cards and the founding document of a new cluster");
  init
    .command("operator")
    .description("an operator's encrypted file and card")
    .requiredOption("--name <name>", "the operator's name")
    .requiredOption("--dir <directory>", "where operator.sky and operator.card are written")
    .option(...passphraseFile)
    .action(run(async () => ({ run: (await import("./init.ts")).runOperator })));
  const founder = init.command("founder").description("a founder's directory and card");
  founder
    .requiredOption("--name <name>", "the node's name")
    .requiredOption("--dir <directory>", "the node's data directory");
  for (const port of ["api", "approach", "cluster", "service"]) {
    founder.requiredOption(`--${port} <host:port>`, `where others reach its ${port.toUpperCase()} port`);
  }
  founder.option(...passphraseFile).action(run(async () => ({ run: (await import("./init.ts")).runFounder })));
  init
    .command("client")
    .description("a client's identity and card; again with --founding, its certificate")
    .requiredOption("--dir <directory>", "the client's folder")
    .option("--founding <file>", "the signed founding document")
    .action(run(async () => ({ run: (await import("./init.ts")).runClient })));
  init
    .command("assemble")
    .description("the founding document, from cards, for everybody to sign")
    .requiredOption("--name <name>", "the cluster's name")
    .requiredOption("--threshold <count>", "operators needed to unseal a node", wholeNumber(1, 100, "A threshold"))
    .requiredOption("--founder <card>", "founders, in the order of members; repeated", repeated)
    .requiredOption("--operator <card>", "operators, in the order of their indices; repeated", repeated)
    .requiredOption("--admin <card>", "administrators; repeated", repeated)
    .option("--client <card>", "clients; repeated", repeated)
    .option("--gateway <name>", "founders that may sign for legacy clients; repeated", repeated)
    .requiredOption("--out <file>", "where the document is written")
    .action(run(async () => ({ run: (await import("./init.ts")).runAssemble })));
  addInitSigning(init, context);
}

function addInitSigning(init: Command, context: ProgramContext): void {
  const run = runner(context);
  init
    .command("sign")
    .description("a founder's or operator's signature under the founding document")
    .requiredOption("--document <file>", "the assembled document")
    .option("--operator <file>", "sign as this operator, by its file")
    .option("--founder-dir <directory>", "sign as this founder, by its directory")
    .requiredOption("--out <file>", "where the signature is written")
    .option(...passphraseFile)
    .action(run(async () => ({ run: (await import("./init.ts")).runSign })));
  init
    .command("finish")
    .description("the signed founding document, which goes to every node's directory")
    .requiredOption("--document <file>", "the assembled document")
    .requiredOption("--signature <file>", "signatures, one of every founder and operator; repeated", repeated)
    .requiredOption("--out <file>", "where the signed document is written")
    .action(run(async () => ({ run: (await import("./init.ts")).runFinish })));
}

function addCeremonyCommands(program: Command, context: ProgramContext): void {
  const run = runner(context);
  const add = (name: string, description: string, to = program): Command =>
    to
      .command(name)
      .description(description)
      .argument("[node...]", "names or API addresses; unseal, and what only asks, takes all founders without any")
      .requiredOption("--founding <file>", "the signed founding document")
      .requiredOption("--operator <file>", "the operator's file")
      .option(...passphraseFile);
  add("unseal", "give this operator's shares to nodes").action(run(() => import("./unseal.ts")));
  add("seal", "seal nodes: the panic button")
    .option("--exit", "end the process too, so that nothing can remain in its memory")
    .action(run(() => import("./seal.ts")));
  add("status", "what nodes are waiting for").action(run(() => import("./status.ts")));
  const member = program.command("member").description("the keys of nodes");
  add("keys", "which key a node signs by, and until when its certificates are good", member).action(
    run(async () => (await import("./member.ts")).keys),
  );
  add("rotate", "rotate a node's key while it serves; its next key is made, kept and committed to", member).action(
    run(async () => (await import("./member.ts")).rotate),
  );
  addProjectionCommands(program, context, add);
}

function addCertificateCommands(program: Command, context: ProgramContext): void {
  const run = runner(context);
  const certificates = program
    .command("certificate")
    .description("certificates that the log knows: list, record, revoke")
    .addHelpText("after", NODE_HELP);
  const add = (name: string, description: string): Command =>
    certificates
      .command(name)
      .description(description)
      .option("--dir <directory>", "directory of sky dev, which knows nodes and client (default: here)")
      .option("--client <folder>", "folder of the client to ask as (default: clients/default of --dir)")
      .option("--node <host:port>", "SERVICE address, may be repeated (default: those of --dir)", repeated)
      .option("--timeout <ms>", "how long to try, over all nodes", milliseconds)
      .addHelpText("after", NODE_HELP);
  add("list", "certificates that have not ended: the client's own, or others' for auditors and administrators")
    .option("--all", "of all identifiers")
    .option("--aid <aid>", "of this identifier")
    .action(run(async () => ({ run: (await import("./certificate.ts")).list })));
  add("record", "have the log know a certificate of the client's own")
    .argument("<file>", "PEM")
    .action(run(async () => ({ run: (await import("./certificate.ts")).record })));
  add(
    "revoke",
    "refuse a certificate's key from now on: one's own, or anybody's for administrators; it cannot be taken back",
  )
    .argument("<certificate>", "its PEM file, or its serial number if the log knows it")
    .option("--aid <aid>", "whose it is, to find it by its serial number")
    .option("--reason <reason>", "why, in the words of RFC 5280, such as keyCompromise or superseded")
    .action(run(async () => ({ run: (await import("./certificate.ts")).revoke })));
  const external = certificates
    .command("revoke-external")
    .description("have the external issuer of a node's settings (SKY_ISSUER) revoke a certificate that it signed")
    .argument("<certificate>", "its PEM file, or its serial number")
    .option("--reason <reason>", "why, as for revoke; Vault keeps none");
  addSettings(external, context.settings).action(run(() => import("./revoke-external.ts")));
}

function addOracleCommands(program: Command, context: ProgramContext): void {
  const run = runner(context);
  const oracle = program
    .command("oracle")
    .description("ask and change the graph of who may do what")
    .addHelpText("after", NODE_HELP);
  const add = (name: string, description: string): Command =>
    oracle
      .command(name)
      .description(description)
      .option("--dir <directory>", "directory of sky dev, which knows nodes and client (default: here)")
      .option("--client <folder>", "folder of the client to ask as (default: clients/default of --dir)")
      .option("--node <host:port>", "SERVICE address, may be repeated (default: those of --dir)", repeated)
      .option("--timeout <ms>", "how long to try, over all nodes", milliseconds)
      .addHelpText("after", NODE_HELP);
  const which = (): Argument => new Argument("<which>", "what to list").choices(["subjects", "objects"]);
  add("check", "whether the subject has what the object stands for; ends with 0 for yes, 1 for no")
    .argument("<subject>")
    .argument("<object>")
    .option("--at <height>", "as it was at this height", height)
    .action(run(async () => ({ run: (await import("./oracle.ts")).check })));
  add("explain", "why check says yes, or what was tried when it says no; ends with 0 for yes, 1 for no")
    .argument("<subject>")
    .argument("<object>")
    .option("--height <height>", "as it was at this height", height)
    .action(run(async () => ({ run: (await import("./oracle-explain.ts")).explain })));
  add("read", "direct assertions: subjects that have the object, or objects that the subject has")
    .addArgument(which())
    .argument("<node>", "the object, or the subject")
    .option("--relation <relation>", "only those of this relation")
    .action(run(async () => ({ run: (await import("./oracle.ts")).read })));
  add("expand", "everything for which check says yes: subjects of the object, or objects of the subject")
    .addArgument(which())
    .argument("<node>", "the object, or the subject")
    .option("--relation <relation>", "only those of this relation")
    .action(run(async () => ({ run: (await import("./oracle.ts")).expand })));
  add("write", "make changes, all of them or none")
    .argument("<change...>", 'each in quotes, such as "map subject my-org:Ali#flag my-org:Users#member"')
    .option("--must-exist <assertion>", 'only if "SUBJECT OBJECT" is asserted directly; may be repeated', repeated)
    .option("--must-not-exist <assertion>", "only if it is not; may be repeated", repeated)
    .option("--note <text>", "why, for audits: signed and kept with the write")
    .option(
      "--id <hex>",
      "id of an earlier write whose outcome is unknown; the same write is done at most once",
      commandId,
    )
    .action(run(async () => ({ run: (await import("./oracle.ts")).write })));
}

const KEL_VERIFY_HELP = `
A verdict is accepted, escrowed:REASON (it waits) or rejected:CODE, as it was when the message came; what then became of one that waited stands behind it.
Exit codes: 0 nothing was rejected, 1 something was, 3 the file cannot be read.`;

function addKelCommands(program: Command, context: ProgramContext): void {
  const run = runner(context);
  const kel = program.command("kel").description("key event logs");
  kel
    .command("verify")
    .description("judge every message of a CESR stream, from nothing")
    .argument("<file>", "the stream")
    .addHelpText("after", KEL_VERIFY_HELP)
    .action(run(() => import("./kel-verify.ts")));
  addKelEvents(kel, context);
}

const keyCount = wholeNumber(1, 64, "A number of keys");
const nextKeyCount = wholeNumber(0, 64, "A number of keys");
const keyPlace = wholeNumber(0, 63, "Places of next keys");
const places = (value: string): readonly number[] => value.split(",").map(keyPlace);
const days = wholeNumber(1, 36_500, "Days");
const witnessCount = wholeNumber(0, 64, "A number of witnesses");

const KEL_HELP = `
Without --submit nothing leaves this machine: an identity of a cluster keeps what was made, pending, until it is submitted; a folder of its
own (--dir) has it at once. A rotation's next keys are on disk before anybody sees it, and whatever is interrupted is finished by the next
command with --submit.
A threshold is a number, weights such as 1/2,1/2,1/2, or clauses of weights that must all be met: "1/2,1/2;1".`;

/** Commands on an identity's own events. */
function addKelEvents(kel: Command, context: ProgramContext): void {
  const run = runner(context);
  const add = (name: string, description: string): Command =>
    kel
      .command(name)
      .description(description)
      .option("--client <folder>", "a client's folder")
      .option("--operator <file>", "an operator's file, with --founding")
      .option("--dir <folder>", "a folder of its own, of no cluster")
      .addHelpText("after", KEL_HELP);
  const onCluster = (command: Command): Command =>
    command
      .option("--founding <file>", "the signed founding document, for --operator")
      .option(...passphraseFile)
      .option("--submit", "hand it to the cluster and wait until it is in force")
      .option("--cluster <directory>", "directory of sky dev, which knows the nodes")
      .option("--node <host:port>", "SERVICE address, may be repeated", repeated)
      .option("--timeout <ms>", "how long to try, over all nodes", milliseconds);
  const events = async () => import("./kel-events.ts");
  const keys = (command: Command): Command =>
    command
      .option("--threshold <threshold>", "how many keys, or which weights, must sign")
      .option("--next-threshold <threshold>", "the same over the next keys")
      .option("--next-keys <count>", "how many next keys to commit to", nextKeyCount)
      .option("--toad <count>", "how many witnesses must receipt", witnessCount);
  keys(add("incept", "make a new identifier"))
    .option("--keys <count>", "how many keys (default: 1)", keyCount)
    .option("--witness <identifier>", "a witness; may be repeated", repeated)
    .option("--trait <trait>", "EO, DND …; may be repeated", repeated)
    .option("--delegator <identifier>", "who delegates it, by sky kel delegate")
    .action(run(async () => ({ run: (await events()).incept })));
  keys(onCluster(add("rotate", "bring the next keys into force")))
    .option("--add-witness <identifier>", "a new witness; may be repeated", repeated)
    .option("--cut-witness <identifier>", "a witness no more; may be repeated", repeated)
    .option("--expose <places>", "which next keys, such as 0,2; the others stay next keys (default: all)", places)
    .option("--seal <seal>", "AID:SN:SAID to anchor besides; may be repeated", repeated)
    .option("--abandon", "commit to no next keys: the identifier never rotates again")
    .option("--older-than <days>", "only if the keys are in force for as long, for cron", days)
    .action(run(async () => ({ run: (await events()).rotate })));
  onCluster(add("interact", "anchor seals"))
    .argument("<seal...>", "AID:SN:SAID of an event, or a digest")
    .action(run(async () => ({ run: (await events()).interact })));
  onCluster(
    add("delegate", "as the delegator, anchor a delegated identifier's inception and rotations, and append its log"),
  )
    .argument("<folder>", "the delegated identifier's folder")
    .action(run(async () => ({ run: (await import("./kel-delegate.ts")).delegate })));
  onCluster(add("append", "hand a CESR stream, anybody's, to the cluster and say what became of each message"))
    .argument("<file>", "the stream")
    .action(run(async () => ({ run: (await import("./kel-append.ts")).append })));
  onCluster(add("submit", "hand a pending event to the cluster and wait until it is in force")).action(
    run(async () => ({ run: (await events()).submit })),
  );
  onCluster(
    add("discard", "drop a pending event that the cluster will never have; a copy of the file with it stays"),
  ).action(run(async () => ({ run: (await import("./kel-discard.ts")).discard })));
  onCluster(add("show", "the key state: as it is kept here, or with nodes to ask, as the log has it"))
    .option("--aid <identifier>", "of another identifier")
    .option("--sn <number>", "after the event at this sequence number", wholeNumber(0, 2 ** 48, "A sequence number"))
    .option("--height <height>", "as it was at this height", height)
    .action(run(async () => ({ run: (await events()).show })));
  onCluster(add("export", "the events as a CESR stream"))
    .option("--out <file>", "write it there")
    .option("--pending", "with the event that is pending")
    .option("--aid <identifier>", "of another identifier, with nodes to ask")
    .action(run(async () => ({ run: (await events()).exportStream })));
}

function addConfigCommands(program: Command, context: ProgramContext): void {
  const config = program.command("config").description("look at the configuration");
  const explain = config.command("explain").description("print each value and where it came from");
  addSettings(explain, context.settings).action(runner(context)(() => import("./config.ts")));
  program
    .command("completion")
    .description("print a script that completes commands and options")
    .addArgument(new Argument("<shell>", "which shell").choices(SHELLS))
    .action((shell: Shell) => context.io.out(completionScript(program, shell).trimEnd()));
}

const SIMULATE_HELP = `
One seed is one run, to the byte: the same seed and options give the same traceHash, on every machine. What is not given, the seed draws.
Exit codes: 0 no rule of the protocol was broken, 1 some rule was (the last line says which), 2 wrong options, 3 the record cannot be written.`;

function addSimulate(program: Command, context: ProgramContext): void {
  program
    .command("simulate")
    .description("run a whole cluster in virtual time, with seeded faults and Byzantine members")
    .option("--seed <number>", "which run (default: 1)", wholeNumber(0, Number.MAX_SAFE_INTEGER, "A seed"))
    .option("--nodes <count>", "members", nodeCount)
    .option(
      "--byzantine <count>",
      "members that misbehave, at most f; without --nodes there are as many members as bear them",
      wholeNumber(0, 33, "Byzantine members"),
    )
    .option("--actor <kind>", "what they are, such as equivocator or twins; repeated for more of them", repeated)
    .option("--fault <kind>", "what strikes, such as crash or partition; repeated for more", repeated)
    .option("--with <what>", "what a run has besides, such as checkpoints or keys; repeated for more", repeated)
    .option("--mode <mode>", "safety: anything goes to the end; liveness: a quorum is healed, then all must settle")
    .option("--minutes <count>", "simulated minutes of faults, fractions allowed (default: 1)")
    .option("--record <file>", "write everything that happens, one JSON object a line, for sky inspect")
    .addHelpText("after", SIMULATE_HELP)
    .action(runner(context)(() => import("./simulate.ts")));
}
