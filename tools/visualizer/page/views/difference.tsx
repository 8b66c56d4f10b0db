/** Two heights or two nodes compared, and the first place where two nodes part. */
import type { DifferencePage, DivergencePage } from "../../../../src/host/inspector/contract.ts";
import type { Answer } from "../model/api.ts";
import type { Store } from "../model/store.ts";
import type { View, ViewProps } from "../view.ts";
import { type Comparison, firstComparison, readComparison, readHeight, writeComparison } from "./difference-focus.ts";
import { differenceSentence, divergenceSentence, groupsOf, rootsAgree } from "./difference-sentences.ts";
import { useAnswer } from "./hooks.ts";

const NAME = "difference";
/** Of a root or hash, so many characters tell it apart. */
const SHORT = 16;

interface FormProps {
  readonly comparison: Comparison;
  readonly names: readonly string[];
  readonly onCompare: (comparison: Comparison) => void;
}

function Side(props: {
  readonly side: "left" | "right";
  readonly name: string;
  readonly height: number | null;
  readonly names: readonly string[];
}) {
  const { side, name, height, names } = props;
  return (
    <fieldset>
      <legend>{side === "left" ? "Compare" : "with"}</legend>
      <label>
        node{" "}
        <select key={name} name={side}>
          {names.map((one) => (
            <option key={one} value={one} selected={one === name}>
              {one}
            </option>
          ))}
        </select>
      </label>
      <label>
        height{" "}
        <input
          key={height ?? "now"}
          name={`${side}Height`}
          inputMode="numeric"
          pattern="[0-9]*"
          size={8}
          defaultValue={height ?? ""}
          placeholder="now"
          autocomplete="off"
        />
      </label>
    </fieldset>
  );
}

function Form({ comparison, names, onCompare }: FormProps) {
  const onSubmit = (event: SubmitEvent): void => {
    event.preventDefault();
    const data = new FormData(event.currentTarget as HTMLFormElement);
    const text = (name: string): string => {
      const value = data.get(name);
      return typeof value === "string" ? value : "";
    };
    const [leftHeight, rightHeight] = [readHeight(text("leftHeight")), readHeight(text("rightHeight"))];
    if (leftHeight === undefined || rightHeight === undefined) return;
    onCompare({ left: text("left"), leftHeight, right: text("right"), rightHeight });
  };
  const { left, leftHeight, right, rightHeight } = comparison;
  return (
    <form class="inline compare" aria-label="What to compare" onSubmit={onSubmit}>
      <Side side="left" name={left} height={leftHeight} names={names} />
      <Side side="right" name={right} height={rightHeight} names={names} />
      <button type="submit">Compare</button>
    </form>
  );
}

function Only({
  title,
  texts,
  sign,
}: {
  readonly title: string;
  readonly texts: readonly string[];
  readonly sign: string;
}) {
  if (texts.length === 0) return null;
  return (
    <div class={`only ${sign === "−" ? "left" : sign === "+" ? "right" : ""}`}>
      <h4>{title}</h4>
      <ul>
        {texts.map((text) => (
          <li key={text}>
            <span aria-hidden="true">{sign} </span>
            {text}
          </li>
        ))}
      </ul>
    </div>
  );
}

function Differences({ page }: { readonly page: DifferencePage }) {
  const agree = rootsAgree(page);
  const named = (side: DifferencePage["left"]): string => `${side.node} at ${side.height}`;
  return (
    <>
      <p class={`lead ${agree === false ? "bad" : ""}`}>{differenceSentence(page)}</p>
      <dl class="fields roots">
        {[page.left, page.right].map((side, at) => (
          <div key={at}>
            <dt>{`root of ${named(side)}`}</dt>
            <dd title={side.root ?? ""}>{side.root === null ? "not known" : `${side.root.slice(0, SHORT)}…`}</dd>
          </div>
        ))}
      </dl>
      {groupsOf(page).map((group) => (
        <section key={group.title} class="difference-group">
          <h3>{group.title}</h3>
          <div class="sides">
            <Only title={`only ${named(page.left)}`} texts={group.left} sign="−" />
            <Only title={`only ${named(page.right)}`} texts={group.right} sign="+" />
          </div>
          <Only title="in both, not the same" texts={group.both} sign="≠" />
        </section>
      ))}
      {page.truncated && <p class="quiet">There is more; compare heights that lie closer together.</p>}
    </>
  );
}

function Divergence({
  answer,
  left,
  right,
}: {
  readonly answer: Answer<DivergencePage> | null;
  readonly left: string;
  readonly right: string;
}) {
  if (answer === null) return <p class="quiet">Looking for the first place where they part…</p>;
  if (!answer.ok) return <p class="bad">{answer.refusal.message}</p>;
  const { first } = answer.value;
  return (
    <>
      <p class={first === null ? "" : "bad"}>{divergenceSentence(answer.value, left, right)}</p>
      {first !== null && (
        <dl class="fields roots">
          <div>
            <dt>{`${first.what} of ${left}`}</dt>
            <dd title={first.left}>{`${first.left.slice(0, SHORT)}…`}</dd>
          </div>
          <div>
            <dt>{`${first.what} of ${right}`}</dt>
            <dd title={first.right}>{`${first.right.slice(0, SHORT)}…`}</dd>
          </div>
        </dl>
      )}
    </>
  );
}

function DifferenceOf({
  store,
  comparison,
  names,
}: {
  readonly store: Store;
  readonly comparison: Comparison;
  readonly names: readonly string[];
}) {
  const { left, right } = comparison;
  const { answer, isWaiting } = useAnswer<DifferencePage>(store, "difference", { ...comparison });
  const isTwo = left !== right;
  const parting = useAnswer<DivergencePage>(store, isTwo ? "divergence" : null, { left, right });
  const isOfThese = parting.of["left"] === left && parting.of["right"] === right;
  return (
    <div class="looks difference">
      <Form comparison={comparison} names={names} onCompare={(next) => store.setFocus(NAME, writeComparison(next))} />
      <section aria-live="polite" aria-busy={isWaiting}>
        {answer === null && <p class="quiet">Comparing…</p>}
        {answer?.ok === false && <p class="bad">{answer.refusal.message}</p>}
        {answer?.ok === true && <Differences page={answer.value} />}
      </section>
      <section class="divergence">
        <h3>First divergence</h3>
        {isTwo ? (
          <Divergence answer={isOfThese ? parting.answer : null} left={left} right={right} />
        ) : (
          <p class="quiet">Choose two nodes to find the first height at which they part.</p>
        )}
      </section>
    </div>
  );
}

/** The newest block up to the moment that did something; the moment's height where none is known. */
function lastChange(store: Store, height: number | null): number | null {
  const heights = store.consensus
    .all()
    .flatMap(({ block }) =>
      block !== null && block.commands > (block.refused ?? 0) && block.height <= (height ?? 0) ? [block.height] : [],
    );
  return heights.length === 0 ? height : Math.max(...heights);
}

function DifferenceView({ store, moment }: ViewProps) {
  const names = (store.source?.nodes ?? []).map(({ name }) => name);
  const chosen = readComparison(store.focusOf(NAME), names);
  const answering = names.filter((name) => store.answers(name));
  const first = firstComparison(answering.length > 0 ? answering : names, lastChange(store, moment.height));
  const comparison = chosen ?? first;
  return comparison === null ? (
    <p>Waiting for the source.</p>
  ) : (
    <DifferenceOf store={store} comparison={comparison} names={names} />
  );
}

export const view: View = { name: NAME, title: "Difference", key: "7", Component: DifferenceView };
