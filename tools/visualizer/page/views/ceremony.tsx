/** The unseal ceremony of every node: who has given what, how it was judged, how far it is. Never a share. */
import { useMemo } from "preact/hooks";
import type { Moment, NodeMoment } from "../model/moment.ts";
import type { Store } from "../model/store.ts";
import type { View, ViewProps } from "../view.ts";
import { type ShownCeremony, type ShownOperator, custodySentence, readCeremony } from "./ceremony-context.ts";
import { type CeremonyStory, PHASES, Stories } from "./ceremony-story.ts";
import { useAnswer } from "./hooks.ts";

const NAME = "ceremony";

function Phases({ phase }: { readonly phase: string | null }) {
  const known = PHASES.some((one) => one === phase);
  const shown = known || phase === null ? [...PHASES] : [...PHASES, phase];
  return (
    <ol class="phases" aria-label={phase === null ? "Its phase is not known" : `It is ${phase}`}>
      {shown.map((one) => (
        <li key={one} class={one === phase ? `here ${one}` : ""} aria-current={one === phase ? "step" : undefined}>
          {one}
        </li>
      ))}
    </ol>
  );
}

/** k dots, filled for the shares that are in. */
function Threshold({ shown }: { readonly shown: ShownCeremony }) {
  const { threshold, given } = shown;
  if (threshold === null) return null;
  const words =
    given >= threshold
      ? `Threshold reached: ${given} of ${threshold} shares are in.`
      : `${given} of ${threshold} shares are in; ${threshold - given} more ${threshold - given === 1 ? "operator is" : "operators are"} needed.`;
  return (
    <p class="threshold">
      <svg width={threshold * 18} height="16" role="img" aria-label={words}>
        {Array.from({ length: threshold }, (_none, at) => (
          <circle key={at} class={at < given ? "in" : "out"} cx={at * 18 + 8} cy="8" r="6" />
        ))}
      </svg>{" "}
      {words}
    </p>
  );
}

function OperatorRow({ operator, story }: { readonly operator: ShownOperator; readonly story: CeremonyStory }) {
  const isOf = (name: string): boolean => name === operator.aid || name === operator.name;
  const gave = operator.given || story.gifts.some((gift) => gift.accepted && isOf(gift.operator));
  const faults = [
    ...new Set([
      ...operator.wrong,
      ...story.gifts.flatMap(({ operator: by, fault }) => (fault !== null && isOf(by) ? [fault] : [])),
    ]),
  ];
  const blamed = story.blamed.some(isOf);
  return (
    <tr>
      <th scope="row">{operator.name}</th>
      <td>{`no. ${operator.index}`}</td>
      <td>{gave ? <span class="good">✓ given</span> : "–"}</td>
      <td>{operator.acknowledged ? "✓ held" : "–"}</td>
      <td>
        {faults.length === 0 && !blamed ? (
          "–"
        ) : (
          <span class="bad">{[...faults, ...(blamed ? ["blamed"] : [])].join(", ")}</span>
        )}
      </td>
    </tr>
  );
}

function Operators({ shown, story }: { readonly shown: ShownCeremony; readonly story: CeremonyStory }) {
  return (
    <div class="scroll-x">
      <table class="rows">
        <thead>
          <tr>
            <th scope="col">operator</th>
            <th scope="col">share</th>
            <th scope="col">gave it now</th>
            <th scope="col">holds it</th>
            <th scope="col">wrong</th>
          </tr>
        </thead>
        <tbody>
          {shown.operators.map((operator) => (
            <OperatorRow key={operator.aid} operator={operator} story={story} />
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Chapters({ store, story }: { readonly store: Store; readonly story: CeremonyStory }) {
  if (story.chapters.length === 0) return <p class="quiet">Nothing of its ceremony is held before this moment.</p>;
  return (
    <ol class="chapters" aria-label={`What happened in the ceremony of ${story.node}`}>
      {story.chapters.toReversed().map((chapter) => (
        <li key={`${chapter.position} ${chapter.sentence}`} class={chapter.tone}>
          <button type="button" class="link" onClick={() => store.goToPosition(chapter.position)}>
            {chapter.sentence}
          </button>
        </li>
      ))}
    </ol>
  );
}

/** What the machine's context says after its last step before the cursor. */
function useShown(store: Store, story: CeremonyStory, of: NodeMoment | undefined): ShownCeremony | null {
  const last = of?.standing === "alive" ? of.last : null;
  const newest = story.last ?? last;
  const key = newest !== null && store.answers(story.node, newest.life) ? newest : null;
  const { answer } = useAnswer<unknown>(store, key === null ? null : "context", {
    node: story.node,
    life: key?.life,
    n: key?.n,
    machine: "ceremony",
  });
  return useMemo(() => (answer?.ok === true ? readCeremony(answer.value) : null), [answer]);
}

/** How far it is, and who has done what for it. */
function Progress({ shown, story }: { readonly shown: ShownCeremony; readonly story: CeremonyStory }) {
  const isOpen = story.phase === "collecting" || story.phase === "verifying" || story.phase === "unwrapping";
  const custody = custodySentence(shown.custody);
  return (
    <>
      {isOpen ? (
        <Threshold shown={shown} />
      ) : (
        shown.threshold !== null && <p>{`${shown.threshold} of ${shown.operators.length} operators open it.`}</p>
      )}
      {custody !== null && <p class="quiet">{custody}</p>}
      <Operators shown={shown} story={story} />
      {shown.blamed.length > 0 && <p class="bad">{`To blame for the failure: ${shown.blamed.join(", ")}.`}</p>}
    </>
  );
}

function NodeCeremony(props: {
  readonly store: Store;
  readonly moment: Moment;
  readonly story: CeremonyStory;
  /** Its place in the committee: its colour. */
  readonly index: number;
}) {
  const { store, moment, story, index } = props;
  const of = moment.nodes.get(story.node);
  const shown = useShown(store, story, of);
  return (
    <section class={`ceremony-node member member-${index % 8}`} aria-label={`Ceremony of ${story.node}`}>
      <h3>{story.node}</h3>
      <Phases phase={story.phase} />
      {of?.standing === "ended" && (
        <p class="bad">{`${story.node} has ended: ${of.reason ?? "the reason is not known"}`}</p>
      )}
      {story.last !== null && !store.answers(story.node, story.last.life) && (
        <p class="quiet">
          Who held shares, its process knew, which is gone; what it told of its ceremony stands below.
        </p>
      )}
      {shown !== null && <Progress shown={shown} story={story} />}
      <Chapters store={store} story={story} />
    </section>
  );
}

function Ceremony({ store, moment }: ViewProps) {
  const stories = useMemo(() => new Stories(store.history), [store]);
  const names = (store.source?.nodes ?? []).map(({ name }) => name);
  const told = stories.at(moment.position, names);
  return (
    <div class="looks ceremony">
      <p class="quiet">
        Operators together unseal each node. A share is checked against the node's commitments when it is given, so a
        wrong one names its giver. No share is ever sent to this page.
      </p>
      <div class="ceremony-nodes">
        {[...told.values()].map((story) => (
          <NodeCeremony
            key={story.node}
            store={store}
            moment={moment}
            story={story}
            index={store.source?.nodes.find(({ name }) => name === story.node)?.index ?? 0}
          />
        ))}
      </div>
    </div>
  );
}

export const view: View = { name: NAME, title: "Ceremony", key: "6", Component: Ceremony };
