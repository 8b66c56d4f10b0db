/** The ReBAC graph at the cursor's height, and why a check is true or false there. */
import { useMemo } from "preact/hooks";
import type { GraphPicture } from "../../../../src/host/inspector/contract.ts";
import type { Explanation } from "../../../../src/projections/rebac/explain.ts";
import type { Moment } from "../model/moment.ts";
import type { Store } from "../model/store.ts";
import type { View, ViewProps } from "../view.ts";
import { CheckForm, CheckAnswer } from "./check.tsx";
import { highlightOf, storyOf } from "./check-sentences.ts";
import { Drawing } from "./graph-drawing.tsx";
import { type GraphFocus, readGraphFocus, writeGraphFocus } from "./graph-focus.ts";
import { layOut } from "./graph-layout.ts";
import { useAnswer } from "./hooks.ts";

const NAME = "graph";
/** More cannot be told apart; the search narrows it. Units: points. */
const SHOWN_MAX = 400;

/** Whose graph, and of which height: a living node of the moment that has come furthest. */
function whose(moment: Moment): { readonly node: string | null; readonly height: number | null } {
  const known = [...moment.nodes.values()].filter(({ executed }) => executed !== null);
  const alive = known.filter(({ standing }) => standing === "alive");
  const best = (alive.length > 0 ? alive : known).toSorted(
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
          placeholder="NAME or NAMESPACE:NAME#RELATION"
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

function GraphOf({ store, moment }: { readonly store: Store; readonly moment: Moment }) {
  const focus = readGraphFocus(store.focusOf(NAME));
  const { node, height } = whose(moment);
  const question = node === null ? null : "graph";
  const around = focus.around === "" ? null : focus.around;
  const { answer } = useAnswer<GraphPicture>(store, question, { node, height, focus: around, limit: SHOWN_MAX });
  const isChecking = focus.subject !== "" && focus.object !== "" && node !== null;
  const { subject, object } = focus;
  const checked = useAnswer<Explanation>(store, isChecking ? "check" : null, { node, height, subject, object });
  const explanation = checked.answer?.ok === true && isChecking ? checked.answer.value : null;
  const picture = answer?.ok === true ? answer.value : null;
  const layout = useMemo(() => (picture === null ? null : layOut(picture)), [picture]);
  const highlight = useMemo(() => (explanation === null ? null : highlightOf(explanation)), [explanation]);
  const look = (change: Partial<GraphFocus>): void => store.setFocus(NAME, writeGraphFocus({ ...focus, ...change }));
  return (
    <div class="looks graph">
      <p class="lead">
        {node === null
          ? "Nothing has been executed yet at this moment."
          : `What ${node} holds at height ${picture?.height ?? height ?? 0}.`}
      </p>
      <div class="graph-forms">
        <CheckForm
          subject={focus.subject}
          object={focus.object}
          points={picture?.points ?? []}
          onCheck={(from, to) => look({ subject: from, object: to })}
        />
        <Search focus={focus.around} onFocus={(text) => look({ around: text })} />
      </div>
      {isChecking && (
        <CheckAnswer
          story={explanation === null ? null : storyOf(explanation)}
          result={explanation?.result ?? null}
          refusal={checked.answer?.ok === false ? checked.answer.refusal.message : null}
          height={height}
        />
      )}
      {answer?.ok === false && <p class="bad">{answer.refusal.message}</p>}
      {picture !== null && layout !== null && (
        <Drawing
          layout={layout}
          picture={picture}
          highlight={highlight}
          onChoose={(point) => look({ around: point.id.slice(point.kind.length + 1) })}
        />
      )}
    </div>
  );
}

export const view: View = {
  name: NAME,
  title: "Graph",
  key: "5",
  Component: ({ store, moment }: ViewProps) => <GraphOf store={store} moment={moment} />,
};
