/** The ReBAC graph at the cursor's height, and why a check is true or false there. */
import { useMemo } from "preact/hooks";
import type { GraphPicture, GraphPoint } from "../../../../src/host/inspector/contract.ts";
import type { Explanation } from "../../../../src/projections/rebac/explain.ts";
import type { Answer } from "../model/api.ts";
import type { Moment } from "../model/moment.ts";
import type { Store } from "../model/store.ts";
import type { View, ViewProps } from "../view.ts";
import { CheckForm, CheckAnswer } from "./check.tsx";
import { type Highlight, highlightOf, storyOf } from "./check-sentences.ts";
import { Drawing } from "./graph-drawing.tsx";
import { type GraphFocus, readGraphFocus, writeGraphFocus } from "./graph-focus.ts";
import { layOut } from "./graph-layout.ts";
import { useAnswer } from "./hooks.ts";

const NAME = "graph";
/** More cannot be told apart; the search narrows it. Units: points. */
const SHOWN_MAX = 400;

interface Whose {
  readonly node: string | null;
  readonly height: number | null;
}

/** Whose graph, and of which height: a living node of the moment that has come furthest, and that can be asked now. */
function whose(store: Store, moment: Moment): Whose {
  const known = [...moment.nodes.values()].filter(({ executed }) => executed !== null);
  const alive = known.filter(({ standing }) => standing === "alive");
  const answering = (alive.length > 0 ? alive : known).filter(({ name }) => store.answers(name));
  const best = (answering.length > 0 ? answering : known).toSorted(
    (a, b) => (b.executed?.height ?? 0) - (a.executed?.height ?? 0) || (a.name < b.name ? -1 : 1),
  )[0];
  return { node: best?.name ?? null, height: best?.executed?.height ?? moment.height };
}

function Search({ focus, onFocus }: { readonly focus: string; readonly onFocus: (focus: string) => void }) {
  const onSubmit = (event: SubmitEvent): void => {
    event.preventDefault();
    const field = (event.currentTarget as HTMLFormElement).elements.namedItem("focus");
    if (field instanceof HTMLInputElement) onFocus(field.value.trim());
  };
  return (
    <form class="inline" role="search" onSubmit={onSubmit}>
      <label>
        Around{" "}
        <input
          key={focus}
          name="focus"
          defaultValue={focus}
          placeholder="NAMESPACE:NAME#RELATION"
          autocomplete="off"
          spellcheck={false}
        />
      </label>
      <button type="submit">Show</button>
      {focus !== "" && (
        <button type="button" onClick={() => onFocus("")}>
          All
        </button>
      )}
    </form>
  );
}

const numberOr = (value: unknown, other: number | null): number | null => (typeof value === "number" ? value : other);

/** The answer to the check that is looked at, if there is one, and the height that it is of. */
function useCheck(store: Store, focus: GraphFocus, { node, height }: Whose) {
  const { subject, object } = focus;
  const isAsked = subject !== "" && object !== "" && node !== null;
  const { answer, of } = useAnswer<Explanation>(store, isAsked ? "check" : null, { node, height, subject, object });
  const explanation = isAsked && answer?.ok === true ? answer.value : null;
  const highlight = useMemo(() => (explanation === null ? null : highlightOf(explanation)), [explanation]);
  const refusal = answer?.ok === false ? answer.refusal.message : null;
  return { isAsked, explanation, highlight, refusal, height: numberOr(of["height"], height) };
}

function Picture(props: {
  readonly answer: Answer<GraphPicture> | null;
  readonly highlight: Highlight | null;
  readonly around: string;
  readonly onChoose: (point: GraphPoint) => void;
}) {
  const { answer, highlight, around, onChoose } = props;
  const picture = answer?.ok === true ? answer.value : null;
  const layout = useMemo(() => (picture === null ? null : layOut(picture)), [picture]);
  if (answer?.ok === false) return <p class="bad">{answer.refusal.message}</p>;
  if (picture === null || layout === null) return <p class="quiet">Asking for the graph…</p>;
  if (picture.points.length === 0) return <p class="quiet">There is nothing of that name at this height.</p>;
  return <Drawing {...{ layout, picture, highlight, around, onChoose }} />;
}

function GraphOf({ store, moment }: { readonly store: Store; readonly moment: Moment }) {
  const focus = readGraphFocus(store.focusOf(NAME));
  const from = whose(store, moment);
  const { node, height } = from;
  const around = focus.around === "" ? null : focus.around;
  const { answer, of } = useAnswer<GraphPicture>(store, node === null ? null : "graph", {
    node,
    height,
    focus: around,
    limit: SHOWN_MAX,
  });
  const check = useCheck(store, focus, from);
  const look = (change: Partial<GraphFocus>): void => store.setFocus(NAME, writeGraphFocus({ ...focus, ...change }));
  if (node === null) return <p class="looks">Nothing has been executed yet at this moment.</p>;
  return (
    <div class="looks graph">
      <p class="lead">{`What ${String(of["node"] ?? node)} holds at height ${numberOr(of["height"], height) ?? 0}.`}</p>
      <div class="graph-forms">
        <CheckForm
          subject={focus.subject}
          object={focus.object}
          points={answer?.ok === true ? answer.value.points : []}
          onCheck={(subject, object) => look({ subject, object })}
        />
        <Search focus={focus.around} onFocus={(text) => look({ around: text })} />
      </div>
      <div class={`graph-body ${check.isAsked ? "checked" : ""}`}>
        {check.isAsked && (
          <CheckAnswer
            story={check.explanation === null ? null : storyOf(check.explanation)}
            result={check.explanation?.result ?? null}
            refusal={check.refusal}
            height={check.height}
          />
        )}
        <Picture
          answer={answer}
          highlight={check.highlight}
          around={String(of["focus"] ?? "")}
          onChoose={(point) => look({ around: point.id.slice(point.kind.length + 1) })}
        />
      </div>
    </div>
  );
}

export const view: View = {
  name: NAME,
  title: "Graph",
  key: "5",
  Component: ({ store, moment }: ViewProps) => <GraphOf store={store} moment={moment} />,
};
