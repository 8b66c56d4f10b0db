/** The laid-out charts, fetched once. */
import { useEffect, useState } from "preact/hooks";
import type { MachineName } from "../../../../src/host/inspector/contract.ts";
import type { Chart, Charts } from "../model/chart.ts";
import type { Connection } from "../model/store.ts";

let fetching: Promise<readonly Chart[]> | null = null;

async function fetchCharts(): Promise<readonly Chart[]> {
  const response = await fetch("/inspect/assets/charts.json");
  if (!response.ok) throw new Error(`charts.json: ${response.status}`);
  const { charts } = (await response.json()) as Charts;
  return charts;
}

/** null until it has come; when it cannot be had, it is asked for again when the connection is another. */
export function useChart(machine: MachineName, connection: Connection): Chart | null {
  const [charts, setCharts] = useState<readonly Chart[]>([]);
  useEffect(() => {
    fetching ??= fetchCharts();
    fetching.then(setCharts, () => {
      fetching = null;
    });
  }, [connection]);
  return charts.find((chart) => chart.machine === machine) ?? null;
}
