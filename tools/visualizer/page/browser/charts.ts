/** The laid-out charts, fetched once. */
import { useEffect, useState } from "preact/hooks";
import type { MachineName } from "../../../../src/host/inspector/contract.ts";
import type { Chart, Charts } from "../model/chart.ts";

let fetching: Promise<readonly Chart[]> | null = null;

async function fetchCharts(): Promise<readonly Chart[]> {
  const response = await fetch("/inspect/assets/charts.json");
  const { charts } = (await response.json()) as Charts;
  return charts;
}

/** null until it has come. */
export function useChart(machine: MachineName): Chart | null {
  const [charts, setCharts] = useState<readonly Chart[]>([]);
  useEffect(() => {
    fetching ??= fetchCharts();
    fetching.then(setCharts, () => {
      fetching = null; // the next view that needs them asks again
    });
  }, []);
  return charts.find((chart) => chart.machine === machine) ?? null;
}
