/** What the consensus worker remembers for the inspector, and answers of it. */
import type { ConsensusActor } from "../../actors/consensus/actor.ts";
import type { ConsensusPorts } from "../../actors/consensus/ports.ts";
import { type Digest, type Height, type MemberIndex, memberIndex } from "../../base/brands.ts";
import type { LogDamage } from "../../events/store/damage.ts";
import type { LogDatabase } from "../../events/store/log-database.ts";
import type { Outcome, RowSource } from "../inspector/block-rows.ts";
import type { RecordingStart } from "../inspector/live-entries.ts";
import { Recorder } from "../inspector/recorder.ts";
import { type PeerView, RecorderService } from "../inspector/recorder-port.ts";

export interface RecordingPorts {
  readonly log: () => LogDatabase | undefined;
  readonly actor: () => ConsensusActor | undefined;
  readonly connected: () => readonly MemberIndex[];
  readonly onDamage: (damage: LogDamage) => void;
}

/** Blocks whose outcome is remembered: those that the timeline shows at once, several times over. */
const OUTCOMES_MAX = 4_096;

export class Recording {
  readonly #start: RecordingStart;
  readonly #ports: RecordingPorts;
  readonly #recorder: Recorder;
  readonly #service: RecorderService;
  readonly #outcomes = new Map<Height, Outcome>();
  /** Frames for others are dropped by the network. */
  readonly #connected = new Set<MemberIndex>();

  constructor(start: RecordingStart, ports: RecordingPorts) {
    this.#start = start;
    this.#ports = ports;
    this.#recorder = new Recorder({ ...start, now: () => Date.now() });
    this.#service = new RecorderService({
      port: start.port,
      recorder: this.#recorder,
      rows: () => this.#rows(),
      head: () => this.#ports.log()?.head()?.height,
      peers: () => this.#peers(),
      onDamage: ports.onDamage,
    });
  }

  /** For the actor's observer. */
  get observer(): Pick<ConsensusPorts["observer"], "began" | "stepped" | "sent" | "delivered"> {
    const recorder = this.#recorder;
    return {
      began: recorder.began,
      stepped: recorder.stepped,
      sent: (to, message) => recorder.message(this.#connected.has(to) ? "sent" : "dropped", to, message),
      delivered: (from, message) => recorder.message("delivered", from, message),
    };
  }

  /** Streams to members stand, or do not any more. */
  peersChanged(): void {
    this.#connected.clear();
    for (const member of this.#ports.connected()) this.#connected.add(member);
  }

  executed(height: Height, root: Digest, { commands, refused }: Partial<Outcome>): void {
    if (commands !== undefined && refused !== undefined) this.#outcomes.set(height, { root, commands, refused });
    if (this.#outcomes.size > OUTCOMES_MAX)
      for (const oldest of this.#outcomes.keys()) {
        this.#outcomes.delete(oldest);
        break;
      }
    this.#recorder.made({ kind: "executed", height, root });
  }

  evidence(evidence: string, member: MemberIndex, view: number): void {
    this.#recorder.made({ kind: "evidence", evidence, member: this.#nameOf(member), view });
  }

  fault(type: string, height: number | null): void {
    this.#recorder.made({ kind: "fault", fault: { type, height } });
  }

  end(): void {
    this.#service.end();
  }

  #nameOf(member: MemberIndex): string {
    return this.#start.names[member] ?? `member ${member}`;
  }

  #rows(): RowSource | undefined {
    const log = this.#ports.log();
    return log && { log, names: this.#start.names, outcome: (height) => this.#outcomes.get(height) };
  }

  /** A member that voted in the newest view in which a quorum spoke was heard in this one, and so on back. */
  #peers(): PeerView {
    const context = this.#ports.actor()?.context;
    const connected = this.#ports.connected();
    const lastHeard = this.#start.names.map((_, i) => {
      const counted = context?.lastHeard[memberIndex(i)] ?? 0;
      if (context === undefined || counted === 0) return null;
      return Math.max(0, context.view - (context.spokenViews - counted));
    });
    return { connected, lastHeard };
  }
}
