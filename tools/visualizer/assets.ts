/**
 * The inspector's page as bytes, by the path that a browser asks for. The published package brings them built (scripts/build.js puts
 * them beside the bundle); in a checkout esbuild makes them on the first request, in a fraction of a second, and again in each process.
 */
import { existsSync, readFileSync } from "node:fs";

export interface PageAsset {
  /** Content type. */
  readonly type: string;
  readonly bytes: Uint8Array;
}

const TYPES: Readonly<Record<string, string>> = {
  "page.js": "text/javascript; charset=utf-8",
  "page.css": "text/css; charset=utf-8",
  "charts.json": "application/json; charset=utf-8",
};

/** Nothing in it is inline: the policy forbids it. */
const HTML = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Sky inspector</title>
<link rel="icon" href="data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E%3Ccircle cx='8' cy='8' r='6' fill='none' stroke='%230b62a8' stroke-width='2'/%3E%3Ccircle cx='8' cy='2' r='2' fill='%230b62a8'/%3E%3C/svg%3E">
<link rel="stylesheet" href="/inspect/assets/page.css">
<script type="module" src="/inspect/assets/page.js"></script>
</head>
<body><noscript>The inspector draws what the nodes do; it needs JavaScript.</noscript></body>
</html>
`;

/** Where scripts/bundle.js puts the built page: beside the bundle that this file is then part of. */
const built = (name: string): URL => new URL(`./inspector-page/${name}`, import.meta.url);

async function filesOf(): Promise<ReadonlyMap<string, Uint8Array>> {
  if (existsSync(built("page.js"))) return new Map(Object.keys(TYPES).map((name) => [name, readFileSync(built(name))]));
  const { bundlePage } = await import("../../scripts/bundle-page.js");
  return bundlePage();
}

let loading: Promise<ReadonlyMap<string, PageAsset>> | null = null;

async function load(): Promise<ReadonlyMap<string, PageAsset>> {
  const assets = new Map<string, PageAsset>();
  assets.set("/inspect/", { type: "text/html; charset=utf-8", bytes: new TextEncoder().encode(HTML) });
  for (const [name, bytes] of await filesOf())
    assets.set(`/inspect/assets/${name}`, { type: TYPES[name] ?? "application/octet-stream", bytes });
  return assets;
}

/** Everything that the page consists of; made once. Throws: when it can be neither found nor built, at every call until it can. */
export async function loadAssets(): Promise<ReadonlyMap<string, PageAsset>> {
  loading ??= load();
  try {
    return await loading;
  } catch (error) {
    loading = null;
    throw error;
  }
}
