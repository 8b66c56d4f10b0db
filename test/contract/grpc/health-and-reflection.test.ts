import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import * as grpc from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import { service as healthService } from "grpc-health-check";
import { afterEach, describe, expect, it } from "vitest";
import { addHealth } from "../../../src/host/services/health.ts";
import { addReflection } from "../../../src/host/services/reflection.ts";
import { type Served, serve } from "./support/served.ts";

const SERVICES = ["com.hellblazer.delphi.v1.Oracle_", "sky.oracle.v1.OracleService"];
let served: Served | undefined;
afterEach(() => served?.close());

const folder = dirname(createRequire(import.meta.url).resolve("@grpc/reflection/package.json"));
const reflectionMethod = (version: "v1" | "v1alpha"): grpc.MethodDefinition<object, Reflected> => {
  const loaded = loadSync(join(folder, `build/proto/grpc/reflection/${version}/reflection.proto`), {
    keepCase: true,
    bytes: Array,
  });
  const service = loaded[`grpc.reflection.${version}.ServerReflection`] as unknown as grpc.ServiceDefinition;
  return Object.values(service)[0] as unknown as grpc.MethodDefinition<object, Reflected>;
};

interface Reflected {
  readonly list_services_response?: { readonly service: readonly { readonly name: string }[] };
  readonly file_descriptor_response?: { readonly file_descriptor_proto: readonly unknown[] };
}

async function reflect(version: "v1" | "v1alpha", ...questions: readonly object[]): Promise<readonly Reflected[]> {
  const method = reflectionMethod(version);
  const { port } = (served ??= await serve());
  const client = new grpc.Client(`127.0.0.1:${port}`, grpc.credentials.createInsecure());
  const stream = client.makeBidiStreamRequest(method.path, method.requestSerialize, method.responseDeserialize);
  const answers: Reflected[] = [];
  const ended = new Promise<void>((resolve, reject) => stream.on("end", resolve).on("error", reject));
  stream.on("data", (answer: Reflected) => answers.push(answer));
  for (const question of questions) stream.write(question);
  stream.end();
  await ended.finally(() => client.close());
  return answers;
}

describe("reflection", () => {
  it.each(["v1", "v1alpha"] as const)("names the services and describes them: %s", async (version) => {
    served = await serve();
    addReflection(served.server, SERVICES);
    const [listed, described] = await reflect(
      version,
      { list_services: "" },
      { file_containing_symbol: "sky.oracle.v1.OracleService" },
    );
    expect(listed?.list_services_response?.service.map(({ name }) => name).toSorted()).toEqual(SERVICES);
    expect(described?.file_descriptor_response?.file_descriptor_proto.length).toBeGreaterThan(0);
  });

  it("refuses garbage and serves on", async () => {
    served = await serve();
    addReflection(served.server, SERVICES);
    const client = new grpc.Client(`127.0.0.1:${served.port}`, grpc.credentials.createInsecure());
    const stream = client.makeBidiStreamRequest(
      reflectionMethod("v1").path,
      (bytes: Buffer) => bytes,
      (bytes) => bytes,
    );
    const failed = new Promise<grpc.ServiceError>((resolve) => stream.on("error", resolve));
    stream.resume();
    stream.write(Buffer.alloc(16, 0xff));
    expect((await failed).metadata.get("sky-code")).toEqual(["MALFORMED"]);
    client.close();
    expect(await reflect("v1", { list_services: "" })).toHaveLength(1);
  });
});

describe("health", () => {
  it("says of each service whether it serves", async () => {
    served = await serve();
    const health = await addHealth(served.server, SERVICES);
    const client = new grpc.Client(`127.0.0.1:${served.port}`, grpc.credentials.createInsecure());
    const method = (healthService as unknown as grpc.ServiceDefinition)["Check"] as unknown as grpc.MethodDefinition<
      object,
      { readonly status: string }
    >;
    const statusOf = (service: string): Promise<string> =>
      new Promise((resolve) => {
        client.makeUnaryRequest(
          method.path,
          method.requestSerialize,
          method.responseDeserialize,
          { service },
          (error, reply) => resolve(error === null ? (reply?.status ?? "") : grpc.status[error.code]),
        );
      });
    expect(await statusOf(SERVICES[0] ?? "")).toBe("NOT_SERVING");
    health.setServing(SERVICES[0] ?? "", true);
    expect([await statusOf(SERVICES[0] ?? ""), await statusOf(SERVICES[1] ?? ""), await statusOf("nobody")]).toEqual([
      "SERVING",
      "NOT_SERVING",
      "NOT_FOUND",
    ]);
    client.close();
  });
});
