/** Statecharts of every machine of every node: where it stands, what moved it last, what it waits for. */
import { useMemo, useRef, useState } from "preact/hooks";
import type { MachineName } from "../../../../src/host/inspector/contract.ts";
import { useChart } from "../browser/charts.ts";
import type { Answer } from "../model/api.ts";
import type { Chart } from "../model/chart.ts";
import type { Stepped } from "../model/entries.ts";
import type { Moment, NodeMoment } from "../model/moment.ts";
import { stepsBefore, waysTaken } from "../model/steps.ts";
import type { Store } from "../model/store.ts";
import { MACHINES, fieldsOf, nameOfState, spanOf, spoken, timeOf } from "../model/words.ts";
import { StateChart } from "../parts/chart.tsx";
import { DataTree } from "../parts/data-tree.tsx";
import { memberClass } from "../parts/nodes.tsx";
import type { View, ViewProps } from "../view.ts";

const NAME = "states";
/** Steps that ways are counted over, and those that are listed. */
const WAYS_MAX = 400;
const LISTED_MAX = 14;

const isMachine = (name: string | undefined): name is MachineName => MACHINES.some((machine) => machine === name);

function Choice(props: {
  readonly store: Store;
  readonly nodes: readonly NodeMoment[];
  readonly node: string;
  readonly machine: MachineName;
}) {
  const { store, nodes, node, machine } = props;
  return (
    <div class="choice">
      <div role="group" aria-label="Node">
        {nodes.map(({ name, standing }) => (
          <button
            key={name}
            type="button"
            class={`pick ${memberClass(store, name)} ${standing}`}
            aria-pressed={name === node}
            onClick={() => store.setFocus(NAME, `${name}/${machine}`)}
          >
            <span class="disc" aria-hidden="true" />
            {name}
            {standing === "ended" && <span class="bad"> down</span>}
          </button>
        ))}
      </div>
      <div role="group" aria-label="Machine">
        {MACHINES.map((name) => (
          <button
            key={name}
            type="button"
            aria-pressed={name === machine}
            onClick={() => store.setFocus(NAME, `${node}/${name}`)}
          >
            {name}
          </button>
        ))}
      </div>
    </div>
  );
}

function LastStep({ store, step }: { readonly store: Store; readonly step: Stepped }) {
  const moves = step.transitions.filter(({ source, targets }) => targets.some((target) => target !== source));
  return (
    <section class="panel" aria-label="Last step">
      <h3>Last step, {timeOf(step.at, store.source)}</h3>
      <p>
        <button type="button" class="link" onClick={() => store.goToEntry(step)}>
          <strong>{step.event.type}</strong>
        </button>{" "}
        <span class="quiet">{fieldsOf(step.event)}</span>
      </p>
      {moves.length === 0 && step.refused === undefined && <p class="quiet">It stayed where it was.</p>}
      {moves.map(({ source, targets, guard }) => (
        <p key={`${source}${targets.join()}`} class="move">
          {spoken(nameOfState(source))} → <strong>{targets.map(nameOfState).map(spoken).join(", ")}</strong>
          {guard !== null && <code> [{guard}]</code>}
        </p>
      ))}
      {step.refused !== undefined && <p class="warn">Refused: {step.refused}</p>}
      {step.effects.length > 0 && (
        <ol class="effects">
          {step.effects.map((effect, index) => (
            <li key={index}>
              <strong>{effect.type}</strong> <span class="quiet">{fieldsOf(effect)}</span>
            </li>
          ))}
        </ol>
      )}
    </section>
  );
}

function Timers(props: {
  readonly node: NodeMoment;
  readonly machine: MachineName;
  readonly at: number | null;
  readonly store: Store;
}) {
  const { node, machine, at, store } = props;
  const timers = node.timers.filter((timer) => timer.machine === machine);
  return (
    <section class="panel" aria-label="Timers">
      <h3>Timers pending</h3>
      {timers.length === 0 && <p class="quiet">None: it waits for events only.</p>}
      <ul class="timers">
        {timers.map(({ timer, due, setAt }) => {
          const left = due === null || at === null ? null : due - at;
          const share = due === null || left === null ? 0 : Math.max(0, Math.min(1, left / Math.max(1, due - setAt)));
          return (
            <li key={timer}>
              <span class="mono">{timer}</span>{" "}
              <span class="quiet number">
                {left === null ? "pending" : left >= 0 ? `in ${spanOf(left)}` : `overdue by ${spanOf(-left)}`}
                {due !== null && `, at ${timeOf(due, store.source)}`}
              </span>
              <svg class="timer-bar" width="100%" height="4" aria-hidden="true">
                <rect class="whole" width="100%" height="4" rx="2" />
                <rect class="left" width={`${(share * 100).toFixed(1)}%`} height="4" rx="2" />
              </svg>
            </li>
          );
        })}
      </ul>
    </section>
  );
}

/** Of one machine of one node: whoever shows another one shows another of these. */
function Context({ store, step }: { readonly store: Store; readonly step: Stepped }) {
  const [shown, setShown] = useState<{ readonly of: Stepped; readonly answer: Answer<unknown> } | null>(null);
  const newest = useRef<Stepped | null>(null);
  const { node, life, n, machine } = step;
  const ask = async (): Promise<void> => {
    newest.current = step;
    const answer = await store.api.context({ node, life, n, machine });
    // Whoever has asked for a later one meanwhile does not want this one.
    if (newest.current === step) setShown({ of: step, answer });
  };
  const isStale = shown !== null && shown.of !== step;
  const isGone = !store.answers(node, life);
  return (
    <section class="panel" aria-label="Context">
      <h3>Context</h3>
      {isGone && <p class="quiet">Its process has ended, and what it remembered with it; a later one can be asked.</p>}
      {!isGone && (shown === null || isStale || !shown.answer.ok) && (
        <button type="button" onClick={() => void ask()}>
          {shown === null ? "Show everything it remembers" : isStale ? "Show it after the last step" : "Ask again"}
        </button>
      )}
      {isStale && (
        <p class="quiet">
          Below: after {shown.of.event.type}, {timeOf(shown.of.at, store.source)}.
        </p>
      )}
      {shown?.answer.ok === true && <DataTree name={machine} value={shown.answer.value} isOpen />}
      {shown?.answer.ok === false && <p class="warn">{shown.answer.refusal.message}</p>}
    </section>
  );
}

function Recent({ store, steps }: { readonly store: Store; readonly steps: readonly Stepped[] }) {
  return (
    <section class="panel" aria-label="Steps before">
      <h3>Steps before</h3>
      <ol class="recent">
        {steps.map((step) => (
          <li key={`${step.life}:${step.n}`}>
            <button type="button" class="link" onClick={() => store.goToEntry(step)}>
              <span class="number quiet">{timeOf(step.at, store.source)}</span> {step.event.type}
            </button>{" "}
            <span class="quiet">{step.states.map(nameOfState).map(spoken).join(", ")}</span>
          </li>
        ))}
      </ol>
    </section>
  );
}

/** What the machine takes anywhere without leaving: too many to draw, too useful to leave out. */
function Everywhere({ chart, active }: { readonly chart: Chart; readonly active: readonly string[] }) {
  const here = chart.states.filter(({ id }) => active.some((one) => one === id || one.startsWith(`${id}.`)));
  const events = [...new Set(here.flatMap(({ internal }) => internal))];
  if (events.length === 0) return null;
  return (
    <details class="everywhere">
      <summary>Events that it takes here without a line of their own ({events.length})</summary>
      <p class="mono quiet">{events.join("  ")}</p>
    </details>
  );
}

function Where(props: {
  readonly node: NodeMoment;
  readonly machine: MachineName;
  readonly standing: Chart["states"];
}) {
  const { node, machine, standing } = props;
  if (node.standing === "ended")
    return (
      <p class="where bad" role="status">
        {`${node.name} is down: ${node.reason ?? "it ended"}.`}
      </p>
    );
  if (standing.length === 0)
    return (
      <p class="where quiet" role="status">
        {`Nothing is known of the ${machine} machine of ${node.name} at this moment.`}
      </p>
    );
  return (
    <p class="where" role="status">
      {standing.map(({ id, name, description }) => (
        <span key={id}>
          <strong>{spoken(name)}</strong> <span class="quiet">{description}</span>
        </span>
      ))}
    </p>
  );
}

/** The node and machine that the reader chose; else the leader's consensus. */
function chosen(
  store: Store,
  moment: Moment,
): { readonly node: NodeMoment | undefined; readonly machine: MachineName } {
  const [named = "", called] = (store.focusOf(NAME) ?? "").split("/");
  const { nodes, leader } = moment;
  const node = nodes.get(named) ?? nodes.get(leader ?? "") ?? [...nodes.values()][0];
  return { node, machine: isMachine(called) ? called : "consensus" };
}

function States({ store, moment }: ViewProps) {
  const { node, machine } = chosen(store, moment);
  const chart = useChart(machine, store.connection);
  const { position } = moment;
  const name = node?.name ?? "";
  const steps = useMemo(
    () => stepsBefore(store.history, position, name, machine, WAYS_MAX),
    [store, store.history.length, position, name, machine],
  );
  const ways = useMemo(() => waysTaken(steps), [steps]);
  if (node === undefined) return <p class="absent">No node has been heard of yet.</p>;
  const isDown = node.standing === "ended";
  const active = isDown ? [] : (node.states[machine] ?? []);
  const step = node.steps[machine];
  const standing = chart?.states.filter(({ id }) => active.includes(id)) ?? [];
  const where = isDown ? "down" : standing.map((state) => spoken(state.name)).join(", ") || "unknown";
  return (
    <div class="states">
      <Choice store={store} nodes={[...moment.nodes.values()]} node={name} machine={machine} />
      <Where node={node} machine={machine} standing={standing} />
      <div class="states-columns">
        <div class="chart-box scroll-x">
          {chart === null ? (
            <p class="quiet">Drawing…</p>
          ) : (
            <StateChart
              chart={chart}
              active={active}
              taken={isDown ? [] : (step?.transitions ?? [])}
              ways={ways}
              label={`Statechart of ${machine} of ${name}; it is ${where}`}
            />
          )}
          {chart !== null && <Everywhere chart={chart} active={active} />}
        </div>
        <div class="panels">
          {step !== undefined && <LastStep store={store} step={step} />}
          <Timers node={node} machine={machine} at={store.now} store={store} />
          {step !== undefined && <Context key={`${name}/${machine}`} store={store} step={step} />}
          {steps.length > 1 && <Recent store={store} steps={steps.slice(1, LISTED_MAX)} />}
        </div>
      </div>
    </div>
  );
}

export const view: View = { name: NAME, title: "Statecharts", key: "1", Component: States };
