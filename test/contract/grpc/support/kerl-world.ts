/** sky.kerl.v1 over a ledger and a projection that are real; each batch is a block of its own. */
import * as grpc from "@grpc/grpc-js";
import type { Aid, Digest, Height } from "../../../../src/base/brands.ts";
import { type Result, ok, refuse } from "../../../../src/base/result.ts";
import { HeightWaiters } from "../../../../src/host/executor/waiting.ts";
import { kerlPort } from "../../../../src/host/node/kerl-port.ts";
import { NodeKerl } from "../../../../src/host/node/kerl.ts";
import { kerl, kerlService } from "../../../../src/host/services/kerl.ts";
import type { KerlPort } from "../../../../src/host/services/kerl-port.ts";
import { SERVICE_SERVER_OPTIONS } from "../../../../src/host/services/server-options.ts";
import { KerlServiceClient } from "../../../../src/wire/generated/sky/kerl/v1/kerl.ts";
import type { CommandOutcome } from "../../../../src/wire/outcome.ts";
import { LedgerWorld } from "../../../unit/kerl/ledger-world.ts";
import type { Life } from "../../../unit/kerl/lives.ts";

export class KerlWorld {
  readonly world: LedgerWorld;
  readonly queries: NodeKerl;
  readonly port: KerlPort;
  readonly heights = new HeightWaiters();
  readonly defects: unknown[] = [];
  readonly #hashes = new Map<Height, Digest>();
  #caller: Aid;
  #close = (): void => {};
  /** host:port of the server. */
  address = "";

  constructor(others: readonly Life[] = []) {
    this.world = new LedgerWorld(true, others);
    this.#caller = this.world.client.aid;
    this.world.project();
    this.queries = new NodeKerl({
      ledger: this.world.ledger,
      projector: () => ({ askKerl: async (question) => this.world.projector.askKerl(question), hurry: () => {} }),
      projected: () => this.world.projector.height,
    });
    this.port = kerlPort({
      ledger: this.world.ledger,
      queries: this.queries,
      submission: { submitSigned: async (signed) => this.settle(signed) },
      heights: this.heights,
      recentHash: (height) => this.#hashes.get(height),
      db: this.world.db,
      members: this.world.founders.map(({ aid }) => aid),
      proveKeyState: async () => refuse("NOT_PROVABLE", "This log has no certificates.", "none"),
    });
  }

  /** Who calls from now on. */
  callAs({ aid }: { readonly aid: Aid }): this {
    this.#caller = aid;
    return this;
  }

  /** Orders a batch in a block of its own. */
  settle(signed: Uint8Array): Result<readonly CommandOutcome[]> {
    const { executed } = this.world.block(signed);
    this.#hashes.set(executed.height, executed.hash);
    this.world.project();
    this.queries.executed(executed);
    this.queries.projected(executed.height);
    this.heights.reached(executed.height);
    const [refused] = executed.refusedBatches;
    if (refused !== undefined) return refuse(refused.code, refused.message);
    return ok(
      executed.settled.map(({ id, height, index, blockHash, outcome }) => ({
        id,
        receipt: { height, index, blockHash },
        result:
          outcome.kind === "commandExecuted"
            ? { kind: "executed", changed: outcome.changed }
            : { kind: "refused", code: outcome.code, message: outcome.message },
      })),
    );
  }

  /** Resolves once the node ended an export by an error. */
  readonly exportEnded = Promise.withResolvers<void>();

  /** `slowMs`: how long consumers of streams may take nothing. */
  async serve(slowMs = 30_000): Promise<InstanceType<typeof KerlServiceClient>> {
    const server = new grpc.Server(SERVICE_SERVER_OPTIONS);
    const context = {
      kerl: this.port,
      callerOf: () => ok({ aid: this.#caller, role: "client" }),
      onDefect: (error: unknown) => void this.defects.push(error),
      slowMs,
    };
    const handlers = kerl(context);
    server.addService(kerlService, {
      ...handlers,
      exportKerl: (call: Parameters<typeof handlers.exportKerl>[0]) => {
        call.once("error", () => this.exportEnded.resolve());
        handlers.exportKerl(call);
      },
    });
    const port = await new Promise<number>((resolve, reject) => {
      server.bindAsync("127.0.0.1:0", grpc.ServerCredentials.createInsecure(), (error, bound) =>
        error === null ? resolve(bound) : reject(error),
      );
    });
    this.address = `127.0.0.1:${port}`;
    const client = new KerlServiceClient(this.address, grpc.credentials.createInsecure(), {
      "grpc.use_local_subchannel_pool": 1,
    });
    this.#close = (): void => {
      client.close();
      server.forceShutdown();
    };
    return client;
  }

  close(): void {
    this.#close();
  }
}
