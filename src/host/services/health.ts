/** grpc.health.v1: per service, as probes of gRPC load balancers ask. */
import type { Server } from "@grpc/grpc-js";

export interface HealthService {
  /** Sets the status of one service by its full name; "" is the server as a whole. */
  setServing(service: string, serving: boolean): void;
}

/**
 * Adds grpc.health.v1 to a server. Every service named starts as not serving.
 * Loads its package here and not at the top (20 ms): call it once the node serves, not before.
 */
export async function addHealth(server: Server, services: readonly string[]): Promise<HealthService> {
  const { HealthImplementation } = await import("grpc-health-check");
  const health = new HealthImplementation(
    Object.fromEntries(["", ...services].map((name) => [name, "NOT_SERVING" as const])),
  );
  health.addToServer(server);
  return { setServing: (service, serving) => health.setStatus(service, serving ? "SERVING" : "NOT_SERVING") };
}
