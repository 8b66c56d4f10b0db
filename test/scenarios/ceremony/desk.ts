/** One ceremony machine with its journal and its clock, as a value: scripts and paths can branch anywhere. */
import type { Aid } from "../../../src/base/brands.ts";
import { restore } from "../../../src/actors/enclave/restore.ts";
import { ceremonyMachine } from "../../../src/machines/ceremony/ceremony.machine.ts";
import type {
  CeremonyEffect,
  CeremonyEvent,
  CeremonyInput,
  CeremonyRecord,
  CeremonyRequest,
} from "../../../src/machines/ceremony/ceremony.types.ts";
import { type StepRefusal, createStepper } from "../../../src/machines/step.ts";

export interface Desk {
  readonly input: CeremonyInput;
  readonly snapshot: ReturnType<ReturnType<typeof createStepper<typeof ceremonyMachine>>["snapshot"]>;
  readonly journal: readonly CeremonyRecord[];
  /** Units: ms since the script began. */
  readonly now: number;
  /** Timers that run, and when they are due. */
  readonly timers: Readonly<Record<string, number>>;
  /** What the shell works on, oldest first. */
  readonly requests: readonly CeremonyRequest[];
  readonly calls: number;
  readonly ceremonies: number;
  readonly effects: readonly CeremonyEffect[];
  readonly refused: StepRefusal | undefined;
}

export const aidOf = (name: string): Aid => `E${name.padEnd(43, "_")}` as Aid; // as long as a real one
export const nameOf = (aid: string): string => aid.slice(1).replace(/_+$/, "");
/** Ceremony ids as the tests count them: 32 hex digits, as real ones have. */
export const ceremonyId = (n: number): string => n.toString(16).padStart(32, "0");

export function open(input: CeremonyInput): Desk {
  const stepper = createStepper(ceremonyMachine, { input });
  const { initialEffects: effects } = stepper;
  const idle = { journal: [], now: 0, timers: {}, requests: [], calls: 0, ceremonies: 0 };
  return { input, snapshot: stepper.snapshot(), ...idle, effects, refused: undefined };
}

/** Takes one event. Throws: Defect. */
export function take(desk: Desk, event: CeremonyEvent): Desk {
  const stepper = createStepper(ceremonyMachine, { snapshot: desk.snapshot });
  const { effects, refused } = stepper.step(event);
  const timers = { ...desk.timers };
  if (event.type === "timerFired") delete timers[event.timer];
  const answered = desk.requests.find((request) => answersTo(event, request));
  const requests = desk.requests.filter((request) => request !== answered);
  const journal = [...desk.journal];
  for (const effect of effects) {
    if (effect.kind === "record") journal.push(effect.record);
    if (effect.kind === "setTimer") timers[effect.timer] = effect.at;
    if (effect.kind === "clearTimer") delete timers[effect.timer];
    if (effect.kind === "request") requests.push(effect.request);
  }
  return {
    ...desk,
    snapshot: stepper.snapshot(),
    journal,
    timers,
    requests,
    calls: desk.calls + ("call" in event ? 1 : 0),
    ceremonies: desk.ceremonies + (event.type === "unsealAsked" ? 1 : 0),
    effects,
    refused,
  };
}

/** Ends the process and begins again: the journal is restored as the enclave does it, and the keystore says how it is wrapped. */
export function restart(desk: Desk): Desk {
  const initialised = desk.journal.some(({ kind }) => kind === "initialised");
  const custody = desk.input.custody === "root" || initialised ? "root" : "passphrase";
  const { attempts, acknowledged } = restore(desk.journal);
  // As the enclave has it: before there is a root nobody holds a share of it.
  const again = open({ ...desk.input, custody, attempts, acknowledged: custody === "root" ? acknowledged : [] });
  const { journal, now, calls, ceremonies } = desk;
  return { ...again, input: desk.input, journal, now, calls, ceremonies };
}

/** Whether an event is the answer to a request. */
export function answersTo(event: CeremonyEvent, request: CeremonyRequest): boolean {
  switch (event.type) {
    case "shareVerified":
    case "shareRefuted":
      return (
        request.kind === "verifyShare" && request.ceremony === event.ceremony && request.operator === event.operator
      );
    case "dealt":
      return request.kind === "deal";
    case "rewrapped":
      return request.kind === "rewrap";
    case "keystoreOpened":
      return request.kind === "openKeystore";
    case "openingFailed":
      return request.kind !== "verifyShare" && request.kind !== "drain";
    case "drained":
      return request.kind === "drain";
    default:
      return false;
  }
}
