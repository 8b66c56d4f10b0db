/** Records traces of real machines: a committee with loss, delays, crashes, lost journals and Byzantine members, step by step. */
import type { ConsensusEffect, Context } from "../../../src/machines/consensus/types.ts";
import { corrupt } from "../../machines/consensus/byzantine.ts";
import { Cluster } from "../../machines/consensus/cluster.ts";
import type { Member } from "../../machines/consensus/member.ts";
import { type Step, Translator } from "./trace.ts";

/** What happens in a trace: which instance of spec/traces.qnt judges it, and who is Byzantine in which way. */
export interface Cast {
  readonly module: "honest4" | "faulty4" | "faulty7";
  readonly size: number;
  readonly byzantine: readonly { readonly member: number; readonly behaviour: string }[];
  readonly losesJournal: boolean;
}

export interface Trace {
  readonly seed: number;
  readonly cast: Cast;
  readonly steps: readonly Step[];
  /** Steps that changed where a member stands, or in which it did something. */
  readonly telling: number;
  /** Events that told the model nothing: equal to the step before. */
  readonly still: number;
  /** Set when the machine itself gave up: its own assertions found the mistake first. */
  readonly defect?: string;
}

const BEHAVIOURS = [
  "equivocatingLeader",
  "doubleVoter",
  "voteWithholder",
  "bodyWithholder",
  "skipper",
  "rootForger",
  "replayer",
  "digger",
  "liarInSync",
  "silent",
  "clockForger",
];

/** A third each: four honest members, one of four Byzantine, two of seven. */
export function castOf(seed: number): Cast {
  const behaviour = (n: number): string => BEHAVIOURS[(Math.floor(seed / 3) + n) % BEHAVIOURS.length] ?? "silent";
  switch (seed % 3) {
    case 0:
      return { module: "honest4", size: 4, byzantine: [], losesJournal: seed % 2 === 0 };
    case 1:
      return { module: "faulty4", size: 4, byzantine: [{ member: 3, behaviour: behaviour(0) }], losesJournal: false };
    default:
      return {
        module: "faulty7",
        size: 7,
        byzantine: [
          { member: 2, behaviour: behaviour(0) },
          { member: 5, behaviour: behaviour(4) },
        ],
        losesJournal: false,
      };
  }
}

/** Views that the model knows (DEPTH in spec/traces.qnt), less those that one step may jump. */
const VIEWS_MAX = 20;
const TIME_MS_MAX = 120_000;

/** Records a seed until so many telling steps were taken. The same seed gives the same trace. */
export function record(seed: number, telling: number): Trace {
  const cast = castOf(seed);
  const calm = seed % 5 === 0;
  const cluster = new Cluster(
    calm
      ? { seed, size: cast.size }
      : { seed, size: cast.size, loss: 0.08, delayMsMax: 40, duplicate: 0.1, lateness: 0.08 },
  );
  for (const { member, behaviour } of cast.byzantine) {
    const one = cluster.members[member];
    if (one !== undefined) corrupt(one, behaviour);
  }
  const recorder = new Recorder(cluster, telling);
  trouble(cluster, cast, calm);
  try {
    cluster.run(TIME_MS_MAX, () => recorder.isDone);
  } catch (error) {
    return { ...recorder.trace(seed, cast), defect: error instanceof Error ? error.message : String(error) };
  }
  return recorder.trace(seed, cast);
}

function trouble(cluster: Cluster, cast: Cast, calm: boolean): void {
  const any = (): Member => cluster.honest[Math.floor(cluster.random() * cluster.honest.length)] as Member;
  for (let i = 0; i < 400; i++) cluster.later(i * 120, () => cluster.submit(`bundle ${i}`, any().index));
  if (calm) return;
  for (let i = 0; i < 60; i++) {
    cluster.later(i * 1000 + cluster.random() * 800, () => {
      const side = cluster.members.map(() => cluster.random() < 0.5);
      cluster.reaches = (from, to) => side[from] === side[to];
      cluster.later(200 + cluster.random() * 900, () => cluster.join());
    });
  }
  const unlucky = cast.losesJournal ? any() : undefined;
  cluster.later(100 + (cluster.seed % 7) * 60, () => {
    if (unlucky?.alive !== true) return;
    unlucky.crash();
    cluster.later(30, () => unlucky.restart({ loseDisk: true }));
  });
  for (let i = 0; i < 200; i++) {
    cluster.later(i * 300 + cluster.random() * 300, () => {
      const victim = any();
      if (!victim.alive) return;
      victim.crash();
      const loseDisk = victim === unlucky && cluster.random() < 0.5;
      cluster.later(cluster.random() * 80, () => {
        if (!victim.alive) victim.restart({ loseDisk });
      });
    });
  }
}

class Recorder {
  readonly #steps: Step[] = [];
  readonly #translator: Translator;
  readonly #target: number;
  #telling = 0;
  #deepest = 0;
  #still = 0;
  readonly #standings = new Map<number, string>();

  constructor(cluster: Cluster, target: number) {
    this.#translator = new Translator(cluster.size);
    this.#target = target;
    for (const member of cluster.honest) this.#watch(cluster, member);
  }

  get isDone(): boolean {
    return this.#telling >= this.#target || this.#deepest >= VIEWS_MAX;
  }

  trace(seed: number, cast: Cast): Trace {
    return { seed, cast, steps: this.#steps, telling: this.#telling, still: this.#still };
  }

  /** Stands between a machine and the duties of its shell: sees every event with its effects, and both contexts. */
  #watch(cluster: Cluster, member: Member): void {
    let before: Context = member.context;
    let effects: readonly ConsensusEffect[] = [];
    let restarted: "withJournal" | "withoutJournal" | undefined;
    const perform = member.perform.bind(member);
    member.perform = (all) => {
      effects = all;
      perform(all);
    };
    const restart = member.restart.bind(member);
    member.restart = (options) => {
      restarted = options?.loseDisk === true ? "withoutJournal" : "withJournal";
      restart(options);
    };
    const next = cluster.onStep;
    cluster.onStep = (who, event) => {
      next?.(who, event);
      if (who !== member || this.isDone) return;
      const after = member.context;
      const turn = { member: member.index, before, event, effects, after, height: after.final.height, restarted };
      before = after;
      restarted = undefined;
      this.#take(this.#translator.step(turn), after.view);
    };
  }

  /** A step that told nothing, did nothing and moved nothing has been judged with the one before it. */
  #take(step: Step, view: number): void {
    const { standing } = step;
    const moved = standing !== this.#standings.get(step.member);
    this.#standings.set(step.member, standing);
    this.#deepest = Math.max(this.#deepest, view);
    if (!moved && !step.acts) {
      this.#still += 1;
      return;
    }
    this.#steps.push(step);
    if (moved || step.did) this.#telling += 1;
  }
}
