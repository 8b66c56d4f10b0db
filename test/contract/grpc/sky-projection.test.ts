/** sky.projection.v1 over a projection with its real workers: what is asked, what is told while it goes on, and every refusal by its code. */
import * as grpc from "@grpc/grpc-js";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Aid } from "../../../src/base/brands.ts";
import { ok, refuse } from "../../../src/base/result.ts";
import { type ProjectionContext, projection, projectionService } from "../../../src/host/services/projection.ts";
import { SERVICE_SERVER_OPTIONS } from "../../../src/host/services/server-options.ts";
import {
  Kind,
  Phase,
  ProjectionServiceClient,
  ProjectionServiceService as calls,
  type RebuildState,
  type StatusResponse,
} from "../../../src/wire/generated/sky/projection/v1/projection.ts";
import { World } from "../../unit/rebuild/world.ts";
import { ALICE, call } from "./support/served.ts";

let world: World;
let isServing: boolean;
let caller: Aid | undefined;
let asked: (readonly [string, Aid])[];
let defects: unknown[];
let server: grpc.Server;
let client: InstanceType<typeof ProjectionServiceClient>;

beforeEach(async () => {
  world = new World();
  await world.open();
  world.write(200);
  isServing = true;
  caller = ALICE;
  asked = [];
  defects = [];
  server = new grpc.Server(SERVICE_SERVER_OPTIONS);
  const context: ProjectionContext = {
    callerOf: () =>
      caller === undefined ? refuse("UNAUTHENTICATED", "Show a certificate.") : ok({ aid: caller, role: "operator" }),
    height: () => (world.ledger.height === -1 ? 0 : world.ledger.height),
    onDefect: (error) => void defects.push(error),
    rebuild: () => (isServing ? world.room.rebuild : undefined),
    onAsked: (what, operator) => void asked.push([what, operator]),
  };
  server.addService(projectionService, projection(context));
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync("127.0.0.1:0", grpc.ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
  client = new ProjectionServiceClient(`127.0.0.1:${port}`, grpc.credentials.createInsecure());
});
afterEach(async () => {
  client.close();
  server.forceShutdown();
  await world.close();
  expect(defects).toEqual([]);
});

const ask = <Name extends "rebuild" | "rollBack" | "cancel">(name: Name) => call(client, calls[name], {});
const accept = (difference: string) => call(client, calls.accept, { difference });

/** Everything that a status call tells, and how it ends. */
function statuses(
  follow: boolean,
): Promise<{ readonly states: readonly RebuildState[]; readonly code: string | undefined }> {
  return new Promise((resolve) => {
    const states: RebuildState[] = [];
    const stream = client.status({ follow });
    stream.on("data", ({ state }: StatusResponse) => void (state !== undefined && states.push(state)));
    stream.on("end", () => resolve({ states, code: undefined }));
    stream.on("error", (error: grpc.ServiceError) =>
      resolve({ states, code: String(error.metadata.get("sky-code")[0]) }),
    );
  });
}

describe("sky.projection.v1", () => {
  it("builds a projection, tells how far it is until it serves, and rolls back", async () => {
    expect((await statuses(true)).states).toMatchObject([{ phase: Phase.PHASE_IDLE, hasPrevious: false }]);
    expect((await ask("rollBack")).trailers["sky-code"]).toBe("NO_PREVIOUS");
    const begun = await ask("rebuild");
    expect(begun.reply?.state).toMatchObject({ phase: Phase.PHASE_BUILDING, kind: Kind.KIND_REBUILD });
    expect((await ask("rebuild")).trailers["sky-code"]).toBe("REBUILD_RUNNING");
    const { states } = await statuses(true);
    expect(states.at(0)?.phase).toBe(Phase.PHASE_BUILDING);
    expect(states.at(-1)).toMatchObject({ phase: Phase.PHASE_DONE, blocks: 200n, differences: [], hasPrevious: true });
    expect((await ask("rollBack")).reply?.state).toMatchObject({ kind: Kind.KIND_ROLL_BACK });
    expect((await statuses(true)).states.at(-1)).toMatchObject({ phase: Phase.PHASE_DONE, kind: Kind.KIND_ROLL_BACK });
    expect(asked).toEqual(["rollBack", "rebuild", "rebuild", "rollBack"].map((what) => [what, ALICE]));
  });

  it("drops what is cancelled, and says why it failed", async () => {
    expect((await ask("cancel")).trailers["sky-code"]).toBe("NOTHING_TO_CANCEL");
    expect((await accept("")).trailers["sky-code"]).toBe("NOTHING_TO_ACCEPT");
    await ask("rebuild");
    expect((await ask("cancel")).code).toBe(grpc.status.OK);
    await world.phase("failed");
    expect((await statuses(false)).states).toMatchObject([{ phase: Phase.PHASE_FAILED, code: "CANCELLED" }]);
  });

  it("answers neither strangers nor for a node that is sealed", async () => {
    isServing = false;
    expect((await ask("rebuild")).trailers["sky-code"]).toBe("SEALED");
    expect((await statuses(true)).code).toBe("SEALED");
    caller = undefined;
    expect((await ask("rebuild")).trailers["sky-code"]).toBe("UNAUTHENTICATED");
    expect((await statuses(true)).code).toBe("UNAUTHENTICATED");
    expect(asked).toEqual([]);
  });
});
