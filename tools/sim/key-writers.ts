/**
 * Identifiers that live while the cluster runs: the clients' own rotates its keys while they write, new ones are incepted, rotate,
 * interact, delegate, recover, are witnessed by members and receipted by each other; events come out of order and signature by
 * signature; and one controller signs two rotations for one place. Whatever is sent is sent until it is settled.
 */
import type { Aid, CommandId, LogTime } from "../../src/base/brands.ts";
import { concatBytes } from "../../src/base/bytes.ts";
import { encode } from "../../src/base/codec.ts";
import type { Command } from "../../src/events/facts/command.ts";
import { graphWriteShape } from "../../src/events/facts/graph.ts";
import type { EventSeal } from "../../src/keri/messages.ts";
import { type Author, Controller, type Made, Witness, founderAuthor, signedBy } from "./controller.ts";
import type { Random } from "./random.ts";
import type { Replica } from "./replica.ts";
import type { WriteAnswer } from "./service.ts";
import { Violation } from "./violation.ts";
import { EPOCH_MS, type World, countFault } from "./world.ts";

/** Mean pause between two things that are begun. Units: ms. */
const PAUSE_MS = 2000;
/** Units: ms. */
const ATTEMPT_MS = 3000;
const COMMAND_LIFETIME_MS = 60_000;
const DELAY_MS_MAX = 2;
/** What a witness takes on average before it signs. Units: ms. */
const WITNESS_MS = 300;
/** Identifiers beside the clients'. */
const OTHERS_MAX = 7;
/** Writes that are sent while a rotation is under way, signed by the keys before it and after it. */
const IN_FLIGHT = 3;

type Kind = "plain" | "several" | "witnessed" | "delegated" | "malicious";
/** By how often each is drawn. */
const KINDS: readonly Kind[] = ["plain", "plain", "several", "witnessed", "delegated", "malicious"];

/** Refusals that say nothing of what the command holds. */
const UNJUDGED: ReadonlySet<string> = new Set(["EXPIRED", "OVERLOADED"]);

/** An identifier of the run; one thing at a time is under way for it. */
interface Living {
  readonly controller: Controller;
  readonly kind: Kind;
  isBusy: boolean;
}

type Step = (then: () => void) => void;

/** One after the other. */
const inTurn = (steps: readonly Step[], done: () => void): void => {
  const [first, ...rest] = steps;
  if (first === undefined) done();
  else first(() => inTurn(rest, done));
};

/** All at once. */
const together = (steps: readonly Step[], done: () => void): void => {
  let left = steps.length;
  if (left === 0) return done();
  for (const step of steps)
    step(() => {
      left -= 1;
      if (left === 0) done();
    });
};

interface Sent {
  readonly author: Author;
  readonly events: readonly Made[];
  readonly stream: Uint8Array;
}

export class KeyWriters {
  readonly #world: World;
  readonly #random: Random;
  /** Part of the names of this run's keys. */
  readonly #run: string;
  readonly #client: Living;
  readonly #living: Living[] = [];
  readonly #founders: readonly Author[];
  readonly #witnesses: readonly Witness[];
  #commands = 0;
  #busy = 0;
  #isStopped = false;

  constructor(world: World) {
    this.#world = world;
    this.#random = world.random.fork("key writers");
    this.#run = this.#random.next().toString(16);
    const { founding, scheme, keys, client } = world;
    this.#client = { controller: client, kind: "plain", isBusy: false };
    this.#founders = founding.founders.map((founder) => founderAuthor(founder, scheme));
    this.#witnesses = this.#founders.map((_, i) => new Witness(keys, `witness ${i}`));
    world.invariants.keys.watch();
  }

  start(): void {
    this.#later(this.#random.exponential(PAUSE_MS), () => {
      if (this.#isStopped) return;
      this.#act();
      this.start();
    });
  }

  /** Begins nothing more; what is under way goes on until it is settled. */
  stop(): void {
    this.#isStopped = true;
  }

  get idle(): boolean {
    return this.#busy === 0;
  }

  /** Everything is settled: the log says what every controller believes. */
  judgeEnd(): void {
    for (const { controller } of [this.#client, ...this.#living])
      this.#world.invariants.keys.agrees(controller.aid, controller.sn, controller.last);
  }

  #later(ms: number, run: () => void): void {
    const { scheduler } = this.#world;
    scheduler.at(scheduler.now + ms, run);
  }

  #act(): void {
    const random = this.#random;
    if (random.chance(0.35)) return this.#perform(this.#client, (then) => this.#actOfClient(then));
    if (this.#living.length < OTHERS_MAX && random.chance(this.#living.length < 2 ? 1 : 0.3)) return this.#incept();
    const one = random.pick(this.#living);
    this.#perform(one, (then) => this.#actOf(one, then));
  }

  #perform(one: Living, step: Step): void {
    if (one.isBusy) return;
    one.isBusy = true;
    this.#busy += 1;
    step(() => {
      one.isBusy = false;
      this.#busy -= 1;
    });
  }

  #actOfClient(then: () => void): void {
    const { controller } = this.#client;
    if (this.#random.chance(0.25)) return this.#append(controller, controller.interaction(), then);
    this.#inFlight();
    this.#append(controller, controller.rotation(), then);
  }

  /** Writes by the keys in force now, to arrive about when these are no more; and the same ones by whatever keys are in force then. */
  #inFlight(): void {
    const { controller } = this.#client;
    const { founding } = this.#world;
    for (let n = 0; n < IN_FLIGHT; n++) {
      const name = `in flight ${this.#commands}`;
      const subject = { namespace: "keys", name, relation: { namespace: "", name: "" } };
      const payload = encode(graphWriteShape, { changes: [{ kind: "addSubject", subject }], preconditions: [] });
      const command = this.#command("graph.write", payload);
      const send = (signed: Uint8Array): void => {
        const { process } = this.#target();
        process?.step(() => process.service?.write(signed, () => {}));
      };
      const before = signedBy(controller, founding.cluster, command);
      this.#later(this.#random.exponential(15), () => send(before));
      if (this.#random.chance(0.5))
        this.#later(this.#random.exponential(300), () => send(signedBy(controller, founding.cluster, command)));
    }
  }

  #incept(): void {
    const kind = this.#random.pick(KINDS);
    const isWitnessed = kind === "witnessed";
    const controller = new Controller(this.#world.keys, this.#world.scheme, {
      name: `identifier ${this.#living.length} of ${this.#run}`,
      count: kind === "several" ? 3 : 1,
      threshold: kind === "several" ? 2 : 1,
      witnesses: isWitnessed ? this.#witnesses.slice(0, 3).map(({ text }) => text) : [],
      witnessThreshold: isWitnessed ? 2 : 0,
      delegator: kind === "delegated" ? this.#client.controller.aid : null,
    });
    const one: Living = { controller, kind, isBusy: false };
    this.#living.push(one);
    this.#perform(one, (then) => this.#bring(one, this.#client.controller, controller.inception, then));
  }

  /** An event and what it needs besides: receipts of witnesses, its delegator's anchor. */
  #bring(one: Living, author: Author, made: Made, then: () => void): void {
    const event: Step = (done) => this.#append(author, made, done);
    if (one.kind === "witnessed") {
      const receipts = this.#random.shuffled([0, 1, 2]).slice(0, this.#random.pick([2, 3]));
      return together(
        [
          event,
          ...receipts.map(
            (n): Step =>
              (done) =>
                this.#later(this.#random.exponential(WITNESS_MS), () => this.#witness(n, made, done)),
          ),
        ],
        then,
      );
    }
    if (one.kind === "delegated" && made.type !== "ixn")
      return together([event, (done) => this.#anchor(made, done)], then);
    event(then);
  }

  /** By the clients' identifier, which delegates; when that is busy, a little later. */
  #anchor(made: Made, done: () => void): void {
    const client = this.#client;
    if (client.isBusy) return this.#later(this.#random.between(50, 150), () => this.#anchor(made, done));
    const { controller } = client;
    const seals: readonly EventSeal[] = [made];
    this.#perform(client, (then) => {
      const anchor = this.#random.chance(0.5) ? controller.interaction(seals) : controller.rotation({ seals });
      this.#append(controller, anchor, () => {
        then();
        done();
      });
    });
  }

  #witness(n: number, made: Made, done: () => void): void {
    const witness = this.#witnesses[n];
    const author = this.#founders[n];
    if (witness === undefined || author === undefined) return done();
    this.#world.invariants.keys.gave(made, [], [witness.text]);
    this.#send({ author, events: [], stream: witness.receiptOf(made) }, done);
  }

  #actOf(one: Living, then: () => void): void {
    const { controller, kind } = one;
    const client = this.#client.controller;
    const author = this.#random.pick([client, controller]);
    if (kind === "malicious") return this.#fork(one, then);
    const acts: Step[] = [
      (done) => this.#bring(one, author, controller.rotation(), done),
      (done) => this.#bring(one, author, controller.interaction(), done),
      (done) => this.#append(client, controller.rotation(), done, (made) => client.receiptOf(made)),
    ];
    if (kind === "plain" || kind === "several") {
      acts.push((done) => this.#recover(controller, author, done));
      acts.push((done) => this.#outOfOrder(controller, client, done));
    }
    acts.push((done) => this.#orphan(controller, client, done));
    if (kind === "several") acts.push((done) => this.#signedApart(controller, client, done));
    if (kind === "witnessed" || kind === "delegated") acts.splice(2, 1);
    this.#random.pick(acts)(then);
  }

  /** An interaction, and then a rotation in its place. */
  #recover(controller: Controller, author: Author, then: () => void): void {
    inTurn(
      [
        (done) => this.#append(author, controller.interaction(), done),
        (done) => this.#append(author, controller.rotation({ sn: controller.sn }), done),
      ],
      then,
    );
  }

  /** The second first: it waits. */
  #outOfOrder(controller: Controller, author: Author, then: () => void): void {
    const first = controller.interaction();
    const second = controller.interaction([], first);
    const send =
      (made: Made): Step =>
      (done) =>
        this.#sendEvent(author, controller, made, undefined, done);
    together([send(second), send(first)], () => {
      controller.took(first);
      controller.took(second);
      then();
    });
  }

  /** An interaction after one that never comes: it waits until another event takes that one's place, or until it expires. */
  #orphan(controller: Controller, author: Author, done: () => void): void {
    const never = controller.interaction([{ aid: controller.aid, sn: 0, said: controller.last }]);
    countFault(this.#world, "orphans signed");
    this.#sendEvent(author, controller, controller.interaction([], never), undefined, done);
  }

  /** A rotation whose signatures come one by one: it waits for the second. */
  #signedApart(controller: Controller, author: Author, then: () => void): void {
    const made = controller.rotation();
    const send =
      (signer: number): Step =>
      (done) =>
        this.#sendEvent(author, controller, made, [signer], done);
    together(this.#random.shuffled([0, 1, 2]).slice(0, 2).map(send), () => {
      controller.took(made);
      then();
    });
  }

  /** Two rotations for one place, each to whoever takes it first; one is in force, and its controller goes on with it. */
  #fork(one: Living, then: () => void): void {
    const { controller } = one;
    const client = this.#client.controller;
    const rivals = ["", " (other)"].map((salt) => controller.rotation({ salt }));
    countFault(this.#world, "forks signed");
    const send =
      (made: Made): Step =>
      (done) =>
        this.#sendEvent(client, controller, made, undefined, done);
    together(rivals.map(send), () => this.#learn(one, rivals, then));
  }

  #learn(one: Living, rivals: readonly Made[], then: () => void): void {
    const { process } = this.#target();
    const state = process?.service?.serves === true ? process.service.ledger.keyState(one.controller.aid) : undefined;
    const winner = rivals.find(({ said }) => said === state?.said);
    if (winner === undefined) return this.#later(this.#random.between(50, 400), () => this.#learn(one, rivals, then));
    one.controller.took(winner);
    then();
  }

  /** An event by its controller, or whoever sends it for that; then the controller knows it to be in force. */
  #append(author: Author, event: Made, then: () => void, more?: (made: Made) => Uint8Array): void {
    const controller = this.#controllerOf(event.aid);
    const signers = this.#signersOf(controller);
    const stream = concatBytes(controller.message(event, signers), more?.(event) ?? new Uint8Array(0));
    this.#world.invariants.keys.gave(event, signers);
    this.#send({ author, events: [event], stream }, () => {
      if (event.sn > 0) controller.took(event);
      countFault(this.#world, `${event.type} ordered`);
      then();
    });
  }

  #sendEvent(
    author: Author,
    controller: Controller,
    made: Made,
    signers: readonly number[] | undefined,
    done: () => void,
  ): void {
    const by = signers ?? this.#signersOf(controller);
    this.#world.invariants.keys.gave(made, by);
    this.#send({ author, events: [made], stream: controller.message(made, by) }, done);
  }

  #controllerOf(aid: Aid): Controller {
    const one = [this.#client, ...this.#living].find(({ controller }) => controller.aid === aid);
    if (one === undefined) throw new RangeError(`${aid} does not live here`);
    return one.controller;
  }

  #signersOf({ options: { count, threshold } }: Controller): readonly number[] {
    const all = Array.from({ length: count }, (_, i) => i);
    return this.#random
      .shuffled(all)
      .slice(0, threshold)
      .sort((a, b) => a - b);
  }

  #command(kind: Command["kind"], payload: Uint8Array): Command {
    this.#commands += 1;
    const id = `e${this.#commands.toString(16).padStart(31, "0")}` as CommandId;
    const notAfter = Math.floor(EPOCH_MS + this.#world.scheduler.now + COMMAND_LIFETIME_MS) as LogTime;
    return { id, kind, payload, notAfter };
  }

  #target(): Replica {
    return this.#random.pick(this.#world.replicas.filter(({ isHonest }) => isHonest));
  }

  /** One command, signed anew under the same id by whatever keys are in force, until it is settled. */
  #send(sent: Sent, then: () => void): void {
    const { founding, scheduler } = this.#world;
    let command = this.#command("kerl.append", sent.stream);
    let attempts = 0;
    let isDone = false;
    const finish = (): void => {
      isDone = true;
      then();
    };
    const attempt = (): void => {
      const target = this.#target();
      attempts += 1;
      const mine = attempts;
      const again = (ms: number): void =>
        this.#later(ms, () => {
          if (!isDone && mine === attempts) attempt();
        });
      if (command.notAfter < EPOCH_MS + scheduler.now) command = this.#command("kerl.append", sent.stream);
      again(ATTEMPT_MS);
      this.#ask(target, signedBy(sent.author, founding.cluster, command), (answer) => {
        if (isDone) return;
        if (answer.kind === "settled" && this.#isSettled(target, sent, answer)) return finish();
        if (answer.kind === "no" && answer.code === "STALE_KEY_STATE" && this.#isInForce(target, sent)) return finish();
        again(this.#random.between(20, 400));
      });
    };
    attempt();
  }

  #isSettled(
    { name }: Replica,
    { events }: Sent,
    { command }: Extract<WriteAnswer, { readonly kind: "settled" }>,
  ): boolean {
    const { outcome } = command;
    const { invariants } = this.#world;
    if (outcome.kind === "commandRefused") {
      if (UNJUDGED.has(outcome.code)) return false;
      throw new Violation("lawful key events are taken", `${name}: ${outcome.code}, ${outcome.message}`);
    }
    for (const event of events) invariants.keys.acknowledged(name, command, event);
    return true;
  }

  /** The author's own rotation may be what made its signature stale. */
  #isInForce({ process }: Replica, { author, events }: Sent): boolean {
    const said = process?.service?.ledger.keyState(author.aid)?.said;
    return events.some((event) => event.aid === author.aid && event.said === said);
  }

  /** There and back; nothing comes back from a process that ended meanwhile. */
  #ask(target: Replica, signed: Uint8Array, answered: (answer: WriteAnswer) => void): void {
    const { scheduler, invariants } = this.#world;
    const delay = (): number => this.#random.next() * DELAY_MS_MAX;
    this.#later(delay(), () => {
      const { process } = target;
      if (process === undefined || target.busyUntil > scheduler.now + ATTEMPT_MS) return;
      process.step(() =>
        process.service?.write(signed, (answer) => {
          if (answer.kind === "settled" && answer.command.outcome.kind === "commandExecuted")
            invariants.acknowledgedWrite(target, answer.command);
          scheduler.at(Math.max(scheduler.now, target.busyUntil) + delay(), () => answered(answer));
        }),
      );
    });
  }
}
