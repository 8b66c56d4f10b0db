/**
 * Every place that a machine can reach with a bounded set of inputs, by `xstate/graph`. A place is whatever the walk makes of
 * it (the machine's snapshot, its disk, what it has sent); our own key tells places apart, so that the walk ends. A place with
 * a fault is a place of its own, and the path that `xstate/graph` returns for it is the shortest script that leads there.
 */
import { fromTransition } from "xstate";
import { getShortestPaths } from "xstate/graph";

export interface Walk<Place> {
  /** Header of the scenario script that any of its paths is. */
  readonly header: readonly string[];
  readonly start: Place;
  /** Inputs that can come here, as lines of the scenarios' language. */
  readonly inputs: (place: Place) => readonly string[];
  readonly step: (place: Place, input: string) => Place;
  readonly keyOf: (place: Place) => string;
  /** What is wrong here, if anything: the walk goes no further and reports it. */
  readonly faultOf: (place: Place) => string | undefined;
  /** Transitions that the walk may take at most: beyond it the world is too large, and the test says so. */
  readonly limit: number;
}

export interface Found<Place> {
  readonly place: Place;
  /** The shortest script that leads here. */
  readonly script: readonly string[];
}

/** All places, each with a shortest script. Throws: when the limit is exceeded. */
export function explore<Place>({ start, inputs, step, keyOf, faultOf, limit }: Walk<Place>): readonly Found<Place>[] {
  type Input = { readonly type: string };
  const logic = fromTransition((place: Place, { type }: Input): Place => step(place, type), start);
  const paths = getShortestPaths(logic, {
    events: ({ context }): readonly Input[] =>
      faultOf(context) === undefined ? inputs(context).map((type) => ({ type })) : [],
    serializeState: ({ context }): string => keyOf(context),
    serializeEvent: ({ type }) => type,
    limit,
  });
  // The first step of each path is XState's own initial event.
  return paths.map((path) => ({
    place: path.state.context,
    script: path.steps.map(({ event }) => event.type).slice(1),
  }));
}

/** What is wrong in the places found, the nearest first, each as a scenario script that leads there; empty when nothing is. */
export const faultsIn = <Place>(
  found: readonly Found<Place>[],
  { faultOf, header }: Pick<Walk<Place>, "faultOf" | "header">,
): readonly string[] =>
  found.flatMap(({ place, script }) => {
    const fault = faultOf(place);
    return fault === undefined ? [] : [[`# ${fault}`, ...header, ...script.map((line) => `> ${line}`)].join("\n")];
  });
